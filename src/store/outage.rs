//! Whether the database takes what we write: one state, told once when it changes, however many notice it.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use super::StoreError;

/// What is written. Each kind may fail by itself: a table that somebody renamed, a right that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Work {
    /// New sessions and request rows.
    Rows = 1,
    /// Touches and sums.
    Sums = 2,
    /// The sign of life, which is written even when nobody calls.
    Heartbeat = 4,
    /// Ends of sessions whose time is over, and what is old.
    Cleanup = 8,
    /// The files of a SQLite database: somebody may take them away.
    Files = 16,
}

/// The kinds of work that fail now.
#[derive(Debug, Default)]
pub struct Outage {
    failing: AtomicU8,
}

impl Outage {
    /// Whether something that we write is not taken.
    pub fn is_on(&self) -> bool {
        self.failing.load(SeqCst) != 0
    }

    /// A kind of work failed or succeeded. The first failure and the last recovery are logged, what lies between is not:
    /// a line a second would bury them.
    pub fn note(&self, work: Work, outcome: Result<(), &StoreError>) {
        let bit = work as u8;
        match outcome {
            Ok(()) => {
                // Nearly always nothing fails; then this is one load.
                if self.is_on() && self.failing.fetch_and(!bit, SeqCst) == bit {
                    tracing::info!("the database takes writes again");
                }
            }
            Err(error) => {
                if self.failing.fetch_or(bit, SeqCst) == 0 {
                    tracing::error!(%error, "the database takes no writes; rows are kept in memory until it does");
                } else {
                    tracing::debug!(%error, ?work, "the database takes no writes");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_nothing_fails_any_more() {
        let (outage, error) = (Outage::default(), StoreError::Unavailable("gone".into()));
        assert!(!outage.is_on());
        outage.note(Work::Rows, Err(&error));
        outage.note(Work::Sums, Err(&error));
        outage.note(Work::Rows, Ok(()));
        assert!(outage.is_on(), "sums still fail");
        outage.note(Work::Sums, Ok(()));
        assert!(!outage.is_on());
    }
}
