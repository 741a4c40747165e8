//! What a server knows of the time: whether something happened to it that is not recorded yet.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::model::clock::Gap;
use crate::model::timestamp::Timestamp;
use crate::store::boots::Lost;

/// The number of heartbeats in a row that must succeed before the cleanup goes on.
pub(super) const CALM_AFTER: u8 = 2;

/// What is known of the time.
#[derive(Debug)]
pub(super) struct Timekeeping {
    /// There was a gap that is not recorded yet.
    pub(super) is_unsettled: AtomicBool,
    /// Heartbeats in a row since the last gap, up to [`CALM_AFTER`].
    pub(super) well: AtomicU8,
    state: Mutex<State>,
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Gaps that the heartbeat has not looked at.
    pub(super) gaps: Vec<Gap>,
    /// Time to be recorded.
    pub(super) lost: Vec<Lost>,
    /// When the last heartbeat was written, and what the clock said then.
    pub(super) beat: Option<(Instant, Timestamp)>,
    /// One has failed since.
    pub(super) has_failed: bool,
    /// How much of the time since was a freeze, in milliseconds.
    pub(super) frozen_ms: i64,
}

impl State {
    pub(super) fn has_beaten(&mut self, at: Timestamp) {
        (self.beat, self.has_failed, self.frozen_ms) = (Some((Instant::now(), at)), false, 0);
    }
}

impl Default for Timekeeping {
    fn default() -> Self {
        Self {
            is_unsettled: AtomicBool::new(false),
            well: AtomicU8::new(CALM_AFTER),
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }
}

impl Timekeeping {
    /// Whether all gaps are recorded, so that a session past its time is past its time.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_unsettled.load(SeqCst)
    }

    pub(super) fn unsettle(&self) {
        self.doubt();
        self.wake.notify_one();
    }

    pub(super) fn doubt(&self) {
        self.is_unsettled.store(true, SeqCst);
        self.well.store(0, SeqCst);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
