//! Rows that are given up: told when it begins and when it is over, however many they are.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After this long without another one a spell is over.
const OVER: Duration = Duration::from_secs(1);
/// A spell that begins sooner after the one before is not told when it begins: clients can cause one after the other.
const APART: Duration = Duration::from_mins(1);

/// What was given up since the server began, and in the spell that goes on.
#[derive(Debug)]
pub(in crate::store) struct Dropped {
    start: Instant,
    all: AtomicU64,
    /// Of these, the ones whose end the log has told of.
    told: AtomicU64,
    /// When the last one was given up, in milliseconds after the start.
    last: AtomicU64,
    spell: Mutex<Spell>,
}

/// What the log was told last.
#[derive(Debug, Default)]
struct Spell {
    /// When a line was written that none has to follow.
    at: Option<Duration>,
    /// It was told that one began, and not yet that it is over.
    goes_on: bool,
}

impl Dropped {
    pub(in crate::store) fn new() -> Self {
        let spell = Mutex::default();
        Self { start: Instant::now(), all: AtomicU64::new(0), told: AtomicU64::new(0), last: AtomicU64::new(0), spell }
    }

    /// How many there were.
    pub(in crate::store) fn all(&self) -> u64 {
        self.all.load(SeqCst)
    }

    /// One more row is given up.
    pub(in crate::store) fn note(&self, reason: &str) {
        let now = self.start.elapsed();
        self.last.store(millis(now), SeqCst);
        self.all.fetch_add(1, SeqCst);
        if self.spell().begins(now) {
            tracing::warn!(reason, "a row was dropped; the number is logged when rows are stored again");
        }
    }

    /// Rows are stored: where none was given up lately, a spell is over.
    pub(in crate::store) fn note_stored(&self) {
        let (all, told) = (self.all(), self.told.load(SeqCst));
        // Nearly always: then these are two loads.
        if all == told {
            return;
        }
        let now = self.start.elapsed();
        let is_silent = millis(now).saturating_sub(self.last.load(SeqCst)) >= millis(OVER);
        if is_silent && self.spell().ends(now) {
            self.told.store(all, SeqCst);
            tracing::warn!(rows = all - told, "rows were dropped; new rows are stored again");
        }
    }

    fn spell(&self) -> MutexGuard<'_, Spell> {
        self.spell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spell {
    /// Whether it is told that rows are given up.
    fn begins(&mut self, now: Duration) -> bool {
        let begins = !self.goes_on && self.is_due(now);
        if begins {
            *self = Self { at: Some(now), goes_on: true };
        }
        begins
    }

    /// Whether it is told that none are any more.
    fn ends(&mut self, now: Duration) -> bool {
        let ends = self.goes_on || self.is_due(now);
        if ends {
            *self = Self { at: Some(now), goes_on: false };
        }
        ends
    }

    fn is_due(&self, now: Duration) -> bool {
        self.at.is_none_or(|at| now.saturating_sub(at) >= APART)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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

    #[test]
    fn spells_that_follow_each_other_are_a_few_lines() {
        let (mut spell, at) = (Spell::default(), Duration::from_secs);
        assert!(spell.begins(at(1)) && !spell.begins(at(1)) && spell.ends(at(3)));
        // Drop, silence, drop, …: the log has heard enough.
        assert!((4..60).all(|second| !spell.begins(at(second)) && !spell.ends(at(second))));
        assert!(spell.ends(at(70)), "those that were not told are counted in the end");
        assert!(!spell.begins(at(80)) && spell.begins(at(130)));
        assert!(!spell.begins(at(500)) && spell.ends(at(501)), "one that lasts is told once");
    }
}
