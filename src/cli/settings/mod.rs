//! What a command is told besides its arguments: by the environment, and by the configuration file.
//!
//! Flag > environment > file > default. Both are worked into the [`Command`] before it parses: a variable as an argument's
//! `env`, a value of the file as its default. So validation, help and errors are the parser's own.

mod environment;
mod file;
mod name;

use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::exit::Usage;
use super::paths;

pub(in crate::cli) use environment::apply as with_variables;
pub(super) use file::Entry;
pub(super) use name::name_of;

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

#[cfg(test)]
mod tests;
