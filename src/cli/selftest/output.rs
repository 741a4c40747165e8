//! The report of a run, written as it comes.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::super::output::{json as document, line, printable};
use super::super::secrets;
use crate::selftest::report::baseline::Baseline;
use crate::selftest::report::{Summary, human, json, junit, tap};
use crate::selftest::run::{Event, Outcome, Verdict};

/// How a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Human { colour: bool },
    Json,
    Tap,
}

impl Style {
    pub(super) fn human_or_tap(tap: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if tap { Self::Tap } else { Self::Human { colour: io::stdout().is_terminal() && !no_colour } }
    }
}

/// The command that runs just one scenario.
#[derive(Debug, Clone, Default)]
pub(super) struct Again {
    files: Vec<PathBuf>,
    flags: String,
}

impl Again {
    pub(super) fn new(files: Vec<PathBuf>, flags: String) -> Self {
        Self { files, flags }
    }

    fn of(&self, id: &str) -> String {
        let within = |path: &PathBuf| {
            if path.is_dir() { path.join(format!("{id}.toml")) } else { path.clone() }
        };
        let mut files = self.files.iter().map(within);
        let file = files.find(|path| path.is_file() && path.file_stem().is_some_and(|stem| stem == id));
        let what = file.map_or_else(|| id.to_owned(), |path| path.display().to_string());
        format!("archonctl selftest {what}{}", self.flags)
    }
}

/// Where it is told.
pub(super) struct Output {
    style: Style,
    again: Again,
    /// Whether the last line of the terminal says what runs now.
    progress: bool,
    running: Vec<String>,
    done: usize,
    total: usize,
    /// Standard output could not be written to: nobody listens any more.
    broken: Option<io::Error>,
}

impl Output {
    pub(super) fn new(style: Style, again: Again, terminal: bool) -> Self {
        let progress = terminal && matches!(style, Style::Human { .. });
        Self { style, again, progress, running: Vec::new(), done: 0, total: 0, broken: None }
    }

    pub(super) fn begun(&mut self, target: &str, total: usize, seed: Option<u64>) -> anyhow::Result<()> {
        self.total = total;
        match self.style {
            Style::Json => self.event_line(&json::begun(target, total, seed)),
            Style::Human { .. } => {
                let seed = seed.map(|seed| format!(", shuffled by --seed {seed}")).unwrap_or_default();
                let runs = if total == 1 { "1 scenario".to_owned() } else { format!("{total} scenarios") };
                self.line(&format!("{runs} on {}{seed}\n", line(target)));
            }
            Style::Tap => {}
        }
        self.checked()
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { id } => {
                self.running.push((*id).to_owned());
                if self.style == Style::Json {
                    self.event_line(&json::started(id));
                }
            }
            Event::Finished(outcome) => {
                self.done += 1;
                if let Some(place) = self.running.iter().position(|id| *id == outcome.id) {
                    self.running.remove(place);
                }
                match self.style {
                    Style::Json => self.event_line(&json::finished(outcome)),
                    Style::Human { colour } => {
                        self.clear();
                        let again = self.again.of(&outcome.id);
                        let text = printable(&human::told(outcome, &again));
                        let word = painted(&outcome.verdict, colour);
                        self.line(format!("{word} {text}").trim_end());
                    }
                    Style::Tap => {}
                }
            }
        }
        self.show_progress();
    }

    /// Whether nobody reads it any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn ended(
        &mut self,
        outcomes: &[Outcome],
        baseline: &Baseline,
        summary: &Summary,
        took: Duration,
    ) -> anyhow::Result<()> {
        self.clear();
        match self.style {
            Style::Json => self.event_line(&json::ended(summary, took)),
            Style::Tap => self.line(printable(&tap::document(outcomes, baseline)).trim_end()),
            Style::Human { .. } => self.line(&format!("\n{}", printable(&human::summed_up(summary, took)).trim_end())),
        }
        self.checked()
    }

    pub(super) fn write_junit(&self, file: &Path, outcomes: &[Outcome], took: Duration) -> anyhow::Result<()> {
        let document =
            junit::document(outcomes, took, |id| self.again.of(id)).context("cannot make the JUnit report")?;
        std::fs::write(file, &*secrets::hidden(&document)).with_context(|| format!("cannot write {}", file.display()))
    }

    fn event_line(&mut self, event: &serde_json::Value) {
        self.line(&document(&event.to_string()));
    }

    fn line(&mut self, text: &str) {
        let text = secrets::hidden(text);
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
            self.broken.get_or_insert(error);
        }
    }

    fn checked(&mut self) -> anyhow::Result<()> {
        self.broken.take().map_or(Ok(()), |error| Err(error).context("cannot write the report"))
    }

    fn show_progress(&self) {
        if !self.progress {
            return;
        }
        let running = self.running.first().map(String::as_str).unwrap_or_default();
        let line: String = format!("{}/{} {running}", self.done, self.total).chars().take(78).collect();
        // A terminal that cannot be written to shows nothing: that is no reason to stop.
        _ = write!(io::stderr(), "\r\u{1b}[K{}", printable(&line));
        _ = io::stderr().flush();
    }

    fn clear(&self) {
        if self.progress {
            _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn painted(verdict: &Verdict, colour: bool) -> String {
    let word = format!("{:>7}", human::word(verdict));
    let code = match verdict {
        Verdict::Passed => 32,
        Verdict::Failed(_) => 31,
        Verdict::NotApplicable(_) | Verdict::NotRun(_) => 33,
    };
    if colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word }
}
