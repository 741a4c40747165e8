//! `archonctl man`: the manual pages, one a command, from the same text as `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::exit::{self, Usage};
use super::settings;

const EXAMPLES: &str = "\
Examples:
  archonctl man | man -l -
  archonctl man serve | man -l -
  archonctl man --dir ~/.local/share/man/man1";

/// Print a manual page, or write all of them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The command that the page is about; without it, archonctl itself
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write the pages of all commands to this folder, which is made if absent
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

impl Options {
    /// Prints or writes, of these commands.
    ///
    /// # Errors
    /// When there is no such command, or the page cannot be written.
    pub fn run(self, commands: Command) -> anyhow::Result<ExitCode> {
        // As the environment makes them, without what the configuration file says: that is of this machine.
        let mut root = settings::with_variables(commands).disable_help_subcommand(true);
        root.build();
        if let Some(folder) = self.dir {
            fs::create_dir_all(&folder)
                .and_then(|()| write_all(&root, &folder))
                .with_context(|| format!("cannot write the manual pages to {}", folder.display()))?;
        } else {
            let mut text = Vec::new();
            page(find(&root, &self.command)?, &mut text)?;
            let mut out = io::stdout().lock();
            out.write_all(&text).and_then(|()| out.flush()).context("cannot write the page")?;
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn find<'a>(root: &'a Command, path: &[String]) -> Result<&'a Command, Usage> {
    path.iter().try_fold(root, |command, name| {
        command
            .find_subcommand(name)
            .filter(|c| !c.is_hide_set())
            .ok_or_else(|| Usage::new(format!("there is no command {name:?}"), "archonctl --help lists the commands"))
    })
}

fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut text = Vec::new();
    page(command, &mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)?;
    command.get_subcommands().filter(|c| !c.is_hide_set()).try_for_each(|below| write_all(below, folder))
}

fn page(command: &Command, out: &mut impl Write) -> io::Result<()> {
    let man = Man::new(command.clone()).manual("archonctl").source(concat!("archonctl ", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.get_subcommands().any(|c| !c.is_hide_set()) {
        man.render_subcommands_section(out)?;
    }
    let more = command.get_after_long_help().or_else(|| command.get_after_help());
    more.map_or(Ok(()), |text| sections(&text.to_string()).to_writer(out))
}

/// What stands below the options in `--help`: indented lines stay as they are, and a line above them that ends in a colon
/// is the heading of a section; everything else is text.
fn sections(help: &str) -> Roff {
    let indented = |line: &str| line.starts_with("  ");
    let mut roff = Roff::new();
    let mut verbatim = false;
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        if verbatim != indented(line) {
            verbatim = !verbatim;
            roff.control(if verbatim { "nf" } else { "fi" }, []);
        }
        let heading = line.strip_suffix(':').filter(|_| lines.peek().is_some_and(|next| indented(next)));
        match heading {
            Some(heading) => _ = roff.control("SH", [heading.to_uppercase().as_str()]),
            None if line.is_empty() => _ = roff.control("PP", []),
            None => _ = roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]),
        }
    }
    if verbatim {
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn examples_stay_as_they_are_typed() {
        let text = sections("Examples:\n  archonctl call x \\\n      y\n\nIt calls:\n\n  b\n").to_roff();
        let expected = ".SH EXAMPLES\n.nf\narchonctl call x \\\\\n    y\n.fi\n.PP\nIt calls:\n.PP\n.nf\nb\n.fi\n";
        assert_eq!(text, expected);
    }
}
