//! The program that serves behind a kept port.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use rustix::process::Pid;

use super::end::End;
use crate::cli::exit::DONE;

/// Where a server finds how the one before it ended.
const FORMER_END: &str = "ARCHONCTL_FORMER_END";

/// What stands at the path that this process was started from, whenever it is started anew.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This very program, with all its arguments.
    pub(super) fn of_this_process() -> anyhow::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let path = match path_of(&name, std::env::var_os("PATH").unwrap_or_default().as_os_str()) {
            Some(path) => std::path::absolute(path),
            None => std::env::current_exe(),
        };
        Ok(Self { path: path.context("cannot find the program of this process")?, arguments: arguments.collect() })
    }

    /// Its path, for people.
    pub(super) fn shown(&self) -> impl fmt::Display {
        self.path.display()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // In a process group of its own: what a terminal tells us (Ctrl-C), it hears from us, once.
        command.args(&self.arguments).process_group(0);
        // The watchdog is fed by the server, and meant for whichever process we are.
        command.env_remove("WATCHDOG_PID");
        command
    }

    /// Starts a server on that socket, after one that ended by itself if there was one.
    pub(super) fn serve(&self, listener: &TcpListener, former: Option<(Pid, End)>) -> anyhow::Result<Pid> {
        let socket = listener.try_clone().context("cannot hand the port over")?;
        let mut command = self.command();
        command.args(["--kept-by", &std::process::id().to_string()]).stdin(OwnedFd::from(socket));
        // Not as an argument: a program that stands there now and is older would not know it, and refuse to start.
        match former {
            Some((pid, end)) => command.env(FORMER_END, format!("{}:{}", pid.as_raw_nonzero(), end.word())),
            None => command.env_remove(FORMER_END),
        };
        self.start(command)
    }

    /// Starts a look at whether the program that stands there now can serve; `None` when it does not even start.
    pub(super) fn check(&self) -> Option<Pid> {
        tracing::info!(program = %self.path.display(), "SIGUSR2: the program is to be replaced by what is at its path now");
        let mut command = self.command();
        command.arg("--check").stdin(Stdio::null());
        self.start(command).inspect_err(|error| tracing::error!("{error:#}; the server goes on as it is")).ok()
    }

    /// What that look found.
    pub(super) fn is_well(&self, end: End) -> bool {
        let is_well = end == End::Exited(DONE.into());
        if !is_well {
            tracing::error!("{} --check {end}; the server goes on as it is", self.path.display());
        }
        is_well
    }

    fn start(&self, mut command: Command) -> anyhow::Result<Pid> {
        // We wait for all children together, and not for this one.
        let child = command.spawn().with_context(|| format!("cannot start {}", self.path.display()))?;
        Ok(Pid::from_child(&child))
    }
}

/// Where a program of that name is found, as a shell finds it.
fn path_of(name: &OsStr, search: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    std::env::split_paths(search).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let search = OsStr::new("/nowhere:/usr/bin:/bin");
        assert_eq!(path_of(OsStr::new("./archonctl"), search), Some("./archonctl".into()));
        assert_eq!(path_of(OsStr::new("target/debug/archonctl"), search), Some("target/debug/archonctl".into()));
        assert!(path_of(OsStr::new("sh"), search).is_some_and(|path| path.ends_with("sh") && path.is_absolute()));
        assert_eq!(path_of(OsStr::new("no-such-program"), search), None);
    }
}
