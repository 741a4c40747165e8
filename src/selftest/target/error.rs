//! Why there is no server to run against.

use thiserror::Error;

use crate::client::{ClientError, OptionsError};
use crate::store::OpenError;

/// Why there is no server to run against.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The program of `--server-cmd` is not there.
    #[error("there is no program {0:?}")]
    NoProgram(String),
    /// The command of `--server-cmd` cannot be read.
    #[error("the server's command cannot be read: {0}")]
    Command(String),
    /// A server that cannot be started, ended or moved.
    #[error("{0}")]
    Server(String),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The server cannot be reached, or is none of MCP.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its URL or token is of no use.
    #[error(transparent)]
    Options(#[from] OptionsError),
}
