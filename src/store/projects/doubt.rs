//! A change whose commit gave no answer: made or not, and how to find out.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::store::StoreError;

/// How long finding out may take: the caller has waited for the first try already.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no answer to a change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangeError {
    /// Nothing was changed.
    #[error(transparent)]
    Unchanged(StoreError),
    /// Its commit was under way, and nothing tells what became of it: it may have been made.
    #[error("the change may have been made: {0}")]
    InDoubt(StoreError),
}

/// How far a change has come.
#[derive(Debug)]
pub(super) struct Doubt {
    committing: AtomicBool,
    patience: Duration,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { committing: AtomicBool::new(false), patience: PATIENCE }
    }
}

impl Doubt {
    /// All is done but the commit: from now on a failure says nothing.
    pub(super) fn begins(&self) {
        self.committing.store(true, Relaxed);
    }

    /// What became of a change. Where its commit gave no answer, it is made `again`: each of our changes is the same when
    /// it is made twice, and the database lets the second one wait for the first.
    pub(super) async fn settle<T>(
        &self,
        first: Result<T, StoreError>,
        again: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, ChangeError> {
        match first {
            Err(StoreError::Unavailable(reason)) if self.committing.load(Relaxed) => {
                let second = tokio::time::timeout(self.patience, again).await;
                second.ok().and_then(Result::ok).ok_or(ChangeError::InDoubt(StoreError::Unavailable(reason)))
            }
            other => other.map_err(ChangeError::Unchanged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> StoreError {
        StoreError::unavailable("gone")
    }

    #[tokio::test]
    async fn only_a_commit_without_an_answer_is_in_doubt() {
        let doubt = Doubt { patience: Duration::from_millis(20), ..Doubt::default() };
        let never = std::future::pending::<Result<i32, StoreError>>;
        assert!(matches!(doubt.settle(Err(gone()), never()).await, Err(ChangeError::Unchanged(_))));
        doubt.begins();
        assert!(matches!(doubt.settle(Ok(1), never()).await, Ok(1)));
        let refused = Err(StoreError::Data("no".into()));
        assert!(matches!(doubt.settle(refused, never()).await, Err(ChangeError::Unchanged(_))));
        assert!(matches!(doubt.settle(Err(gone()), async { Ok(2) }).await, Ok(2)), "the second time tells");
        assert!(matches!(doubt.settle(Err(gone()), never()).await, Err(ChangeError::InDoubt(_))));
        assert!(matches!(
            doubt.settle(Err::<i32, _>(gone()), async { Err(gone()) }).await,
            Err(ChangeError::InDoubt(_))
        ));
    }
}
