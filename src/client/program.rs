//! A server that is a program: what is started.

use std::fmt;
use std::path::PathBuf;

/// What is started to talk to it on its standard input and output. `Debug` shows the command alone: arguments and variables
/// may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The command, looked for on the `PATH`.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that its environment has besides ours.
    pub variables: Vec<(String, String)>,
    /// The folder that it runs in, if not ours.
    pub folder: Option<PathBuf>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("command", &self.command).finish_non_exhaustive()
    }
}
