//! How many sessions there may be, and how fast they may be opened: a flood of `initialize` must not fill the disk.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dashmap::DashMap;

use crate::store::StoreError;
use crate::store::sessions::LiveCounts;

/// What an operator allows. `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caps {
    /// Live connections in all, whichever server opened them. Where there are as many, those that have been idle for longest
    /// give way, if they are idle beyond the session timeout.
    pub sessions: Option<u64>,
    /// Live connections of one principal.
    pub per_principal: Option<u64>,
    /// Sessions that one principal may open a second here, with bursts of [`BURST`] seconds' worth.
    pub opened_per_second: Option<u32>,
}

/// How many seconds' worth of sessions somebody may open at once after a quiet time.
pub const BURST: u32 = 10;

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// The server is full.
    Sessions(u64),
    /// The principal has as many as it may have.
    PerPrincipal(u64),
    /// It opens them too fast.
    Rate(u32),
}

impl std::fmt::Display for Cap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sessions(n) => write!(f, "there are {n} live sessions, which is as many as this server keeps"),
            Self::PerPrincipal(n) => write!(f, "you have {n} live sessions, which is as many as you may have"),
            Self::Rate(n) => write!(f, "sessions are opened faster than {n} a second"),
        }
    }
}

/// What is known of the sessions that are opened here.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) all: Openings,
    /// There are as many as lines in the token file.
    pub(super) by_principal: DashMap<Arc<str>, Arc<Tally>>,
}

/// What is known of one principal's.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) own: Openings,
    /// Held over an await: openings of one principal that find the count stale wait for one read, and take its failure.
    pub(super) count: tokio::sync::Mutex<Known>,
    pub(super) bucket: Mutex<Option<Bucket>>,
}

/// Openings since this server began.
#[derive(Debug, Default)]
pub(super) struct Openings {
    pub(super) admitted: AtomicU64,
    /// Of these, the ones that are in the database by now, or will never be.
    pub(super) settled: AtomicU64,
}

/// What is known of how many there are.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) count: Option<Count>,
    /// The last failure to count: when, by uptime, and why.
    pub(super) failed: Option<(u64, StoreError)>,
}

/// What the database said, and which openings it could know of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// By uptime.
    pub(super) at_ms: u64,
    pub(super) live: LiveCounts,
    pub(super) all_settled: u64,
    pub(super) own_settled: u64,
}

/// A place for one session that is being opened. It is in the database, or given up, when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    tallies: &'a Tallies,
    tally: Arc<Tally>,
}

impl Tallies {
    /// A place for one more session, whatever the limits.
    pub(super) fn place(&self, tally: &Arc<Tally>) -> Place<'_> {
        self.all.admitted.fetch_add(1, SeqCst);
        tally.own.admitted.fetch_add(1, SeqCst);
        Place { tallies: self, tally: tally.clone() }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.tallies.all.settled.fetch_add(1, SeqCst);
        self.tally.own.settled.fetch_add(1, SeqCst);
    }
}

/// Places that refill with time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    pub(super) places: f64,
    pub(super) at_ms: u64,
}

impl Bucket {
    /// Takes a place, if there is one.
    pub(super) fn take(self, now_ms: u64, per_second: u32) -> (Self, bool) {
        let since = Duration::from_millis(now_ms.saturating_sub(self.at_ms)).as_secs_f64();
        let places = since.mul_add(f64::from(per_second), self.places).min(f64::from(per_second.saturating_mul(BURST)));
        let has_place = places >= 1.0;
        (Self { places: if has_place { places - 1.0 } else { places }, at_ms: now_ms }, has_place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_bursts_through_and_then_the_rate() {
        let mut bucket = Bucket { places: 20.0, at_ms: 0 };
        let mut admitted = |at_ms: u64| {
            let (next, has_place) = bucket.take(at_ms, 2);
            bucket = next;
            has_place
        };
        assert_eq!((0..30).filter(|_| admitted(0)).count(), 20);
        assert!(!admitted(400) && admitted(500) && !admitted(999) && admitted(1000));
        assert_eq!((0..30).filter(|_| admitted(3_600_000)).count(), 20, "no more than a burst gathers");
    }
}
