//! Why a session cannot be used.

use super::caps::Cap;
use crate::store::StoreError;
use crate::store::sessions::Ended;

/// Why a session cannot be used, or opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The id is not 8 to 128 visible ASCII characters; no database was asked.
    #[error("the session id is malformed")]
    Malformed,
    /// No session of that id was ever issued here, or its row is gone.
    #[error("no such session")]
    Unknown,
    /// It was ended.
    #[error("the session has ended ({})", .0.reason)]
    Ended(Ended),
    /// It belongs to another principal. Callers answer as for [`Self::Unknown`]: who guesses learns nothing.
    #[error("the session belongs to another principal")]
    Foreign,
    /// There is no place for one more. The sessions that there are go on.
    #[error("no more sessions now: {0}")]
    Capped(Cap),
    /// The store cannot tell now. Never "unknown": one wrong 404 loses a client for good.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}
