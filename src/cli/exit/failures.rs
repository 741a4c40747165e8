//! What a command itself finds wrong.

use thiserror::Error;

use super::client::of_client;
use crate::client::ClientError;

/// Wrong usage or configuration that the argument parser cannot see.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Usage {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Usage {
    /// Wrong usage, and what would be right.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// An id that leads to no session, or to one that has ended.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct NoSession {
    /// What is wrong.
    pub message: String,
    /// What may be done.
    pub hint: String,
}

/// What a command found out by itself, with all that a script wants to know of it.
#[derive(Debug, Error)]
#[error("{message}")]
pub(in crate::cli) struct Failure {
    /// One of the exit codes.
    pub(in crate::cli) exit: u8,
    /// A stable word.
    pub(in crate::cli) code: &'static str,
    /// What is wrong.
    pub(in crate::cli) message: String,
    /// What to do next.
    pub(in crate::cli) hint: Option<String>,
}

impl Failure {
    /// A client's error with a better hint than it has.
    pub(in crate::cli) fn advised(error: &ClientError, hint: String) -> Self {
        let (exit, code) = of_client(error);
        // A server may say its own in its message as well.
        let former = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        Self { exit, code, message: error.to_string().replace(&former, ""), hint: Some(hint) }
    }
}
