//! How a child ended.

use std::fmt;
use std::process::ExitCode;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};

use crate::cli::exit::{DONE, NO};

/// The children that have ended since the last look. Nobody else in this process waits for any.
pub(super) fn ended_children() -> impl Iterator<Item = (Pid, End)> {
    std::iter::from_fn(|| wait(WaitOptions::NOHANG).ok().flatten()).map(|(child, status)| (child, End::of(status)))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Killed(i32),
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match status.terminating_signal() {
            Some(signal) => Self::Killed(signal),
            None => Self::Exited(status.exit_status().unwrap_or_default()),
        }
    }

    /// Our own, when the server ended because we were asked to stop.
    pub(super) fn code(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode::from(u8::try_from(code).unwrap_or(NO)),
            // It had not begun yet to listen to signals, and so it had not begun anything.
            Self::Killed(signal) if [Signal::TERM, Signal::INT].iter().any(|asked| asked.as_raw() == signal) => {
                ExitCode::from(DONE)
            }
            Self::Killed(_) => ExitCode::from(NO),
        }
    }

    /// As the next server is told it.
    pub(super) fn word(self) -> String {
        match self {
            Self::Exited(code) => format!("exit-{code}"),
            Self::Killed(signal) => format!("signal-{signal}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with exit code {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}
