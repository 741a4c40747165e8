//! What clients and operators know: what they were promised, and what they saw broken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tokio::time::Instant;

use super::HONOURED;

/// How many broken promises are told in full.
const TOLD: usize = 20;

/// How often something happened.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub(super) fn add(&self, what: impl Into<String>) {
        *locked(&self.0).entry(what.into()).or_default() += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = locked(&self.0);
        let words: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// Whether a session lives, as far as is known outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    /// So many have asked for its end, and nobody was told that it has.
    MayEnd(usize),
    /// Since then everybody refuses it, or soon.
    Ended(Instant),
}

/// A session that `initialize` gave out.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) archon: String,
    life: Mutex<Life>,
    /// Its Archon session was ended for time by hand, so it has another one by now.
    pub(super) is_renewed: AtomicBool,
    /// Calls whose row was promised.
    pub(super) promised: AtomicU64,
    /// Calls that were answered without that promise, or whose answer did not come.
    pub(super) in_doubt: AtomicU64,
}

impl Known {
    pub(super) fn new(id: &str, archon: &str) -> Self {
        Self {
            id: id.to_owned(),
            archon: archon.to_owned(),
            life: Mutex::new(Life::Live),
            is_renewed: AtomicBool::default(),
            promised: AtomicU64::default(),
            in_doubt: AtomicU64::default(),
        }
    }

    pub(super) fn life(&self) -> Life {
        *locked(&self.life)
    }

    pub(super) fn is_live(&self) -> bool {
        self.life() == Life::Live
    }

    /// Somebody is about to ask for its end.
    pub(super) fn may_end(&self) {
        let mut life = locked(&self.life);
        match *life {
            Life::Live => *life = Life::MayEnd(1),
            Life::MayEnd(asked) => *life = Life::MayEnd(asked + 1),
            Life::Ended(_) => {}
        }
    }

    /// Somebody was told that it has ended.
    pub(super) fn has_ended(&self) {
        let mut life = locked(&self.life);
        if !matches!(*life, Life::Ended(_)) {
            *life = Life::Ended(Instant::now());
        }
    }

    /// Whether everybody who is well refuses a request of that moment.
    pub(super) fn is_over_at(&self, moment: Instant) -> bool {
        matches!(self.life(), Life::Ended(at) if at + HONOURED <= moment)
    }
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    sessions: Mutex<Vec<Arc<Known>>>,
    /// Requests with a name of their own, and whether their row was promised.
    pub(super) named: Mutex<Vec<(String, bool)>>,
    /// Projects that were to be made, and whether that was acknowledged.
    pub(super) projects: Mutex<Vec<(String, bool)>>,
    /// What was answered.
    pub(super) answers: Counts,
    broken: Mutex<Vec<String>>,
}

impl Ledger {
    pub(super) fn add(&self, known: Known) {
        locked(&self.sessions).push(Arc::new(known));
    }

    pub(super) fn all(&self) -> Vec<Arc<Known>> {
        locked(&self.sessions).clone()
    }

    pub(super) fn live_count(&self) -> usize {
        locked(&self.sessions).iter().filter(|known| known.is_live()).count()
    }

    /// Any session that is as wanted, if one of several is.
    pub(super) fn any(&self, rng: &mut Rng, wanted: impl Fn(Life) -> bool) -> Option<Arc<Known>> {
        let sessions = locked(&self.sessions);
        let found = (0..32).map(|_| &sessions[rng.usize(..sessions.len())]).find(|known| wanted(known.life()));
        found.cloned()
    }

    /// A promise is broken.
    pub(super) fn is_broken(&self, what: String) {
        println!("BROKEN: {what}");
        locked(&self.broken).push(what);
    }

    pub(super) fn report(&self) {
        let (live, all) = (self.live_count(), self.all().len());
        println!("{all} sessions, {live} of them live; answers: {}", self.answers);
    }

    pub(super) fn assert_whole(&self) {
        let broken = locked(&self.broken);
        let told = broken.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(broken.is_empty(), "{} promises were broken:\n{told}", broken.len());
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
