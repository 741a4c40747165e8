//! `archonctl completions`: the scripts that teach shells to complete our commands.
//!
//! A script asks the program itself at each press of the key: so flags are never out of date, and what only the running
//! system knows (ids of live sessions, names of tools) completes as well.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, ValueEnum};
use clap_complete::env::{CompleteEnv, Shells};

use super::{candidates, exit};

/// Set by a script when it asks, to the shell's name.
const VARIABLE: &str = "ARCHONCTL_COMPLETE";
const NAME: &str = "archonctl";

const EXAMPLES: &str = "\
Examples:
  archonctl completions bash > ~/.local/share/bash-completion/completions/archonctl
  archonctl completions zsh > ~/.zfunc/_archonctl
  archonctl completions fish > ~/.config/fish/completions/archonctl.fish
  archonctl completions powershell >> $PROFILE
  archonctl completions elvish >> ~/.config/elvish/rc.elv

The folder for zsh has to be in its $fpath before compinit runs.";

/// Print the script that completes commands, flags, ids of live sessions and names of tools
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl Options {
    /// Prints the script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let shells = Shells::builtins();
        let name = self.shell.to_possible_value().map_or_else(String::new, |shell| shell.get_name().to_owned());
        let shell = shells.completer(&name).with_context(|| format!("there is no script for {name}"))?;
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
        let script = String::from_utf8(script).context("the script is not text")?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", script.trim()).and_then(|()| out.flush()).context("cannot write the script")?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Answers a script that asks about these commands, and says whether one did.
///
/// # Errors
/// When it asks in a way that is not understood.
pub(super) fn answer(args: &[OsString], commands: fn() -> Command) -> anyhow::Result<bool> {
    if std::env::var_os(VARIABLE).is_some_and(|shell| !shell.is_empty()) && args.len() > 2 {
        // Whatever a command would tell a person now: it would land in the middle of what is being typed.
        let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stderr(&nowhere)?;
    }
    let folder = std::env::current_dir().ok();
    let complete = CompleteEnv::with_factory(move || candidates::attach(commands(), commands)).var(VARIABLE).bin(NAME);
    Ok(complete.completer(NAME).try_complete(args, folder.as_deref())?)
}
