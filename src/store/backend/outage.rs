//! Whether the database takes what we write: one state, told once when it changes, however many notice it.

use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use super::error::StoreError;

/// What is written. Each kind may fail by itself: a table that somebody renamed, a right that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
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

impl Work {
    /// Whether one failure is an outage. Answers wait for rows, and files do not fail by chance; everything else is tried
    /// again before anybody misses it.
    fn is_urgent(self) -> bool {
        matches!(self, Self::Rows | Self::Files)
    }
}

/// The kinds of work that fail now.
#[derive(Debug, Default)]
pub struct Outage {
    /// One bit a kind of work that fails, and eight bits above it one for its last try that failed.
    state: AtomicU16,
}

/// The bits of work that fails.
const FAILING: u16 = 0xff;

impl Outage {
    /// Whether something that we write is not taken.
    pub fn is_on(&self) -> bool {
        self.state.load(SeqCst) & FAILING != 0
    }

    /// Whether rows are not taken, or nothing at all: sums and ends that fail are tried again, and no answer waits for them.
    pub fn keeps_rows_out(&self) -> bool {
        let answers = Work::Rows as u16 | Work::Heartbeat as u16 | Work::Files as u16;
        self.state.load(SeqCst) & answers != 0
    }

    /// Whether the last try of something failed; that may have been by chance.
    pub fn is_suspected(&self) -> bool {
        self.state.load(SeqCst) != 0
    }

    /// A kind of work failed or succeeded. The first failure and the last recovery are logged, what lies between is not:
    /// a line a second would bury them.
    pub fn note(&self, work: Work, outcome: Result<(), &StoreError>) {
        let (fails, failed) = (work as u16, (work as u16) << 8);
        match outcome {
            Ok(()) => {
                // Nearly always nothing fails; then this is one load.
                if self.is_suspected() && self.state.fetch_and(!(fails | failed), SeqCst) & FAILING == fails {
                    tracing::info!("the database takes writes again");
                }
            }
            Err(error) => {
                let before = self.state.fetch_or(failed, SeqCst);
                let lasts = work.is_urgent() || before & failed != 0;
                if lasts && self.state.fetch_or(fails, SeqCst) & FAILING == 0 {
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
        let (outage, error) = (Outage::default(), StoreError::unavailable("gone"));
        assert!(!outage.is_on());
        outage.note(Work::Rows, Err(&error));
        assert!(outage.is_on(), "answers wait for rows");
        outage.note(Work::Sums, Err(&error));
        outage.note(Work::Sums, Err(&error));
        outage.note(Work::Rows, Ok(()));
        assert!(outage.is_on(), "sums still fail");
        outage.note(Work::Sums, Ok(()));
        assert!(!outage.is_on() && !outage.is_suspected());
    }

    #[test]
    fn one_failure_of_what_nobody_waits_for_is_no_outage() {
        let (outage, error) = (Outage::default(), StoreError::unavailable("gone"));
        for work in [Work::Sums, Work::Heartbeat, Work::Cleanup] {
            for _ in 0..3 {
                outage.note(work, Err(&error));
                assert!(!outage.is_on() && outage.is_suspected(), "{work:?}");
                outage.note(work, Ok(()));
                assert!(!outage.is_suspected(), "{work:?}");
            }
        }
        for work in [Work::Sums, Work::Heartbeat, Work::Cleanup] {
            outage.note(work, Err(&error));
        }
        assert!(!outage.is_on(), "each failed once");
        outage.note(Work::Heartbeat, Err(&error));
        assert!(outage.is_on(), "and this one twice in a row");
        let outage = Outage::default();
        outage.note(Work::Files, Err(&error));
        outage.note(Work::Rows, Ok(()));
        assert!(outage.is_on(), "a file that is gone is gone");
        outage.note(Work::Files, Ok(()));
        assert!(!outage.is_suspected());
    }
}
