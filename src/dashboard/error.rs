//! Why nothing can be seen.

use thiserror::Error;

use crate::store::{OpenError, StoreError};

/// Why nothing can be seen.
#[derive(Debug, Error)]
pub enum DashboardError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The terminal does not do what we need.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}
