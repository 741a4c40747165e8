//! What a command is told besides its arguments: by the environment, and by the configuration file.
//!
//! Flag > environment > file > default. Both are worked into the [`Command`] before it parses: a variable as an argument's
//! `env`, a value of the file as its default. So validation, help and errors are the parser's own.

mod environment;
mod file;

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

use super::exit::Usage;
use super::paths;

pub(in crate::cli) use environment::apply as with_variables;
pub(super) use file::Entry;

/// Flags that say what this one invocation does, or what a script reads from it: neither a variable nor a file may say
/// that for all of them: least of all which sessions are ended, which program is started, and what is agreed to. A header
/// may hold a token.
const THIS_TIME_ONLY: &[&str] = &[
    "accept-defaults",
    "all",
    "archon-session",
    "args",
    "check",
    "cli",
    "client",
    "config",
    "dir",
    "dry-run",
    "follow",
    "header",
    "idle",
    "json",
    "kind",
    "once",
    "origin",
    "output",
    "reason",
    "server",
    "session",
    "since",
    "status",
    "stdio",
    "tool",
    "user",
    "watch",
    "yes",
];

/// The commands as environment and file make them.
#[derive(Debug)]
pub(super) struct Settings {
    /// To parse with.
    pub(super) command: Command,
    /// Why the file is of no use, if it is not. The commands are then as if there were none.
    pub(super) fault: Option<Usage>,
    path: Option<PathBuf>,
    entries: Vec<Entry>,
}

impl Settings {
    /// Reads the file, if there is one, and works it and the environment into the commands.
    pub(super) fn load(command: Command) -> Self {
        let path = paths::config_file();
        let read = path.as_ref().map_or(Ok(Vec::new()), |place| file::read(place, &command));
        let (entries, fault) = match read {
            Ok(entries) => (entries, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        let command = file::apply(with_variables(command), &entries);
        Self { command, fault, path: path.map(|place| place.path), entries }
    }

    /// Where the file is, or would be.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the file says about an argument of the command with that path (`["db", "migrate"]`).
    pub(super) fn entry(&self, command: &[&str], arg: &Arg) -> Option<&Entry> {
        file::find(&self.entries, command, arg)
    }
}

/// What the file and the environment call an argument; `None` where neither may speak of it.
pub(super) fn name_of<'a>(command: &str, arg: &'a Arg) -> Option<&'a str> {
    let kind = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
    let long = arg.get_long().filter(|long| kind && !arg.is_hide_set() && !THIS_TIME_ONLY.contains(long))?;
    Some(match (command, long) {
        // A server's file holds hashes of everybody's tokens, a client's its own token.
        ("serve", _) => long,
        (_, "token-file") => "client-token-file",
        // What is checked, and how, is said each time: least of all may a variable name a database or server for it.
        ("selftest", other) if other != "jobs" => return None,
        _ => long,
    })
}

#[cfg(test)]
mod tests;
