//! `archonctl config`: what is set, and by what.

mod paths;
mod show;
mod value;

use std::process::ExitCode;

use clap::{Args, Command, Subcommand};

use super::exit;

const HELP: &str = "\
Examples:
  archonctl config show --origin
  archonctl config paths

Precedence: flag, environment variable, configuration file, default.

The variable of --session-timeout is ARCHONCTL_SESSION_TIMEOUT, and so on; that of --database-url is DATABASE_URL, and
that of a client's --token-file ARCHONCTL_CLIENT_TOKEN_FILE. A switch takes true or false.

The file is $ARCHONCTL_CONFIG, else archonctl/config.toml in $XDG_CONFIG_HOME (~/.config). Its keys are the flags; those
above the first table apply to every command with that flag, those in a table to that command:

  database-url = \"postgres://archon@db.example.org/archon\"

  [serve]
  session-timeout = \"8h\"
  allow-host = [\"archon.example.org\"]

  [call]
  url = \"https://archon.example.org/mcp\"
  client-token-file = \"/home/ada/.archon-token\"

Tokens themselves do not belong in it, and it is refused if everybody may write to it.";

/// Show what is set, and where it comes from
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Show(show::Options),
    Paths(paths::Options),
}

impl Options {
    /// Whether a broken file stands in its way. Where the file is, one wants to know just then.
    pub(super) fn needs_settings(&self) -> bool {
        matches!(self.what, What::Show(_))
    }

    /// Shows it, of these commands.
    ///
    /// # Errors
    /// When there is no such command, or what is set is of no use.
    pub fn run(self, commands: Command) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Show(options) => options.run(commands)?,
            What::Paths(options) => options.run(commands)?,
        }
        Ok(ExitCode::from(exit::DONE))
    }
}
