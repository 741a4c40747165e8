//! What `scripts/bench.sh` and `scripts/soak.sh` measured, as tables for people and as JSON: medians, ratios, verdicts.

mod machine;
mod overview;
mod soak;
mod summary;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::Context;
use clap::Parser;

/// Reads what was measured.
#[derive(Parser)]
enum Options {
    /// Medians over the rounds of a run, and ratios taken within each round, with this machine described: JSON
    Summary {
        /// One JSON object a line, as the scripts write them
        runs: PathBuf,
    },
    /// A summary as tables, in Markdown
    Tables { summary: PathBuf },
    /// The same tables put between the markers of a README, `<!-- bench -->` and `<!-- end of bench -->`
    Readme { summary: PathBuf, readme: PathBuf },
    /// The lines of a soak as a table; it fails where its last third is worse than its first
    Soak { samples: PathBuf },
}

fn main() -> anyhow::Result<ExitCode> {
    match Options::parse() {
        Options::Summary { runs } => {
            let summary = summary::Summary::of(lines(&runs)?)?;
            serde_json::to_writer_pretty(io::stdout(), &summary)?;
            println!();
        }
        Options::Tables { summary } => print!("{}", overview::tables(&serde_json::from_str(&read(&summary)?)?)),
        Options::Readme { summary, readme } => {
            let tables = overview::tables(&serde_json::from_str(&read(&summary)?)?);
            fs::write(&readme, between_markers(&read(&readme)?, &tables)?)?;
        }
        Options::Soak { samples } => {
            let verdict = soak::Verdict::of(&lines(&samples)?)?;
            print!("{verdict}");
            return Ok(if verdict.is_flat() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// One object a line.
fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = read(path)?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()));
    text.lines().map(parse).collect()
}

fn between_markers(readme: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = ("<!-- bench -->\n", "<!-- end of bench -->\n");
    let (before, rest) = readme.split_once(begin).context("no line <!-- bench -->")?;
    let (_, after) = rest.split_once(end).context("no line <!-- end of bench -->")?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}
