//! Rows that are given up: told when it begins and when it is over, however many they are.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// After this long without another one it is over.
const OVER: Duration = Duration::from_secs(1);

/// What was given up since the server began, and in the spell that goes on.
#[derive(Debug)]
pub(in crate::store) struct Dropped {
    start: Instant,
    all: AtomicU64,
    /// Of these, the ones that the log has told of.
    told: AtomicU64,
    /// When the last one was given up, in milliseconds after the start.
    last: AtomicU64,
}

impl Dropped {
    pub(in crate::store) fn new() -> Self {
        Self { start: Instant::now(), all: AtomicU64::new(0), told: AtomicU64::new(0), last: AtomicU64::new(0) }
    }

    /// How many there were.
    pub(in crate::store) fn all(&self) -> u64 {
        self.all.load(SeqCst)
    }

    /// One more row is given up.
    pub(in crate::store) fn note(&self, reason: &str) {
        self.last.store(self.uptime_ms(), SeqCst);
        let before = self.all.fetch_add(1, SeqCst);
        // Whoever begins a spell tells of it; the others are counted.
        if before == self.told.load(SeqCst) {
            tracing::warn!(reason, "a row was dropped; how many will be, is told when it is over");
        }
    }

    /// Rows are stored: where none was given up lately, a spell is over.
    pub(in crate::store) fn note_stored(&self) {
        let (all, told) = (self.all(), self.told.load(SeqCst));
        // Nearly always: then these are two loads.
        if all == told {
            return;
        }
        let silent_ms = self.uptime_ms().saturating_sub(self.last.load(SeqCst));
        let is_over = u128::from(silent_ms) >= OVER.as_millis();
        if is_over && self.told.compare_exchange(told, all, SeqCst, SeqCst).is_ok() {
            tracing::warn!(rows = all - told, "rows were dropped; they are stored again");
        }
    }

    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spell_is_over_when_nothing_was_dropped_for_a_while() {
        let mut dropped = Dropped::new();
        for _ in 0..3 {
            dropped.note("full");
        }
        dropped.note_stored();
        assert_eq!((dropped.all(), dropped.told.load(SeqCst)), (3, 0), "it may go on");
        dropped.start = Instant::now().checked_sub(OVER * 2).expect("a machine that runs for longer");
        dropped.note_stored();
        assert_eq!((dropped.all(), dropped.told.load(SeqCst)), (3, 3));
    }
}
