//! The waiting side of a write: how long an answer waits for its row.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::batch::Outcome;
use super::shared::Shared;
use crate::store::backend::StoreError;

/// A claim on a commit.
#[derive(Debug)]
pub struct Ticket {
    done: oneshot::Receiver<Outcome>,
    shared: Arc<Shared>,
}

/// Whether a row was on disk when its waiter went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// It was.
    Done,
    /// It is still queued, and counted.
    Deferred,
    /// It is given up and counted as dropped: the database refuses it, or the queue was full.
    Refused(String),
}

impl Ticket {
    pub(super) fn new(done: oneshot::Receiver<Outcome>, shared: Arc<Shared>) -> Self {
        Self { done, shared }
    }

    /// Waits for the commit, at most until `deadline` has passed; then the row is counted as deferred and stays queued.
    pub async fn within(self, deadline: Duration) -> Commit {
        match tokio::time::timeout(deadline, self.done).await {
            Ok(Ok(Ok(()))) => Commit::Done,
            Ok(Ok(Err(error))) => Commit::Refused(error.reason().to_string()),
            // Not yet, or the writer is gone: the row may or may not be stored.
            Ok(Err(_)) | Err(_) => {
                self.shared.defer_one();
                Commit::Deferred
            }
        }
    }

    /// Waits for the commit of something that must be on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after `deadline`; [`StoreError::Data`] when the database refuses it.
    pub async fn required(self, deadline: Duration) -> Result<(), StoreError> {
        match tokio::time::timeout(deadline, self.done).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::unavailable("the writer has stopped")),
            Err(_) => Err(StoreError::unavailable(format!("no commit within {deadline:?}"))),
        }
    }
}
