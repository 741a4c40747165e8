//! Warnings that anybody from outside can cause as often as he likes: one line a cause and minute, which says how many were
//! left out. What is remembered for that is bounded, too.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A cause is told once in this time.
const MINUTE: Duration = Duration::from_mins(1);
/// The number of causes, and of things told once, that are remembered; beyond it all are forgotten, and may be told anew.
const REMEMBERED: usize = 4096;

/// What has been warned of.
#[derive(Debug, Default)]
pub struct Warned {
    hasher: RandomState,
    causes: Mutex<HashMap<u64, LoggedCause>>,
    once: Mutex<HashSet<u64>>,
}

/// A cause in the log, in the minute that began then.
#[derive(Debug)]
struct LoggedCause {
    began: Duration,
    left_out: u64,
}

/// The number of warnings that were left out before one: nothing, or ` (41 more before it)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut(u64);

impl Warned {
    /// Whether a warning is to be told that may come again and again. `now` is a time since any beginning.
    pub fn of(&self, cause: impl Hash, now: Duration) -> Option<LeftOut> {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = self.hasher.hash_one(cause);
        if causes.len() >= REMEMBERED && !causes.contains_key(&cause) {
            causes.clear();
        }
        let told = match causes.entry(cause) {
            Entry::Vacant(free) => {
                free.insert(LoggedCause { began: now, left_out: 0 });
                return Some(LeftOut(0));
            }
            Entry::Occupied(told) => told.into_mut(),
        };
        if now.saturating_sub(told.began) < MINUTE {
            told.left_out = told.left_out.saturating_add(1);
            return None;
        }
        let left_out = std::mem::replace(told, LoggedCause { began: now, left_out: 0 }).left_out;
        Some(LeftOut(left_out))
    }

    /// The same of a thing that is told once: the same thing again is no warning.
    pub fn once(&self, cause: impl Hash, thing: impl Hash, now: Duration) -> Option<LeftOut> {
        if self.is_first((&cause, thing)) { self.of(cause, now) } else { None }
    }

    /// Whether that is new.
    pub fn is_first(&self, thing: impl Hash) -> bool {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        if once.len() >= REMEMBERED {
            once.clear();
        }
        once.insert(self.hasher.hash_one(thing))
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more before it)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_flood_is_a_line_a_minute_and_a_number() {
        let warned = Warned::default();
        let told: Vec<_> = (0..150).filter_map(|second| warned.of("flood", at(second))).collect();
        assert_eq!(told, [LeftOut(0), LeftOut(59), LeftOut(59)]);
        assert_eq!(warned.of("another", at(150)), Some(LeftOut(0)), "each cause for itself");
        assert_eq!(warned.of("flood", at(1000)).map(|more| more.to_string()).as_deref(), Some(" (29 more before it)"));
        assert_eq!(LeftOut(0).to_string(), "");
    }

    #[test]
    fn a_thing_is_told_once() {
        let warned = Warned::default();
        let once = |thing, second| warned.once("id", thing, at(second));
        assert_eq!(
            [once(1, 0), once(1, 60), once(2, 61), once(3, 62)],
            [Some(LeftOut(0)), None, Some(LeftOut(0)), None]
        );
        assert_eq!([once(3, 500), once(4, 501)], [None, Some(LeftOut(1))], "counted, but not told later");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let warned = Warned::default();
        for n in 0..3 * REMEMBERED {
            warned.of(n, at(0));
            warned.once("thing", n, at(0));
        }
        assert!(warned.causes.lock().expect("lock").len() <= REMEMBERED);
        assert!(warned.once.lock().expect("lock").len() <= REMEMBERED);
    }
}
