//! An Archon session in memory: a copy of its row with a lease, shared by the connections that use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use uuid::Uuid;

use super::times::Times;

/// An Archon session in memory.
#[derive(Debug)]
pub struct Archon {
    /// The id in `X-Archon-Session-Id`.
    pub id: Uuid,
    /// Who owns it.
    pub principal: Arc<str>,
    pub(super) times: Times,
    /// Its row is queued and not yet known to be stored.
    pub(super) pending: AtomicBool,
    ended: AtomicBool,
}

impl Archon {
    pub(super) fn new(id: Uuid, principal: Arc<str>, times: Times, pending: bool) -> Self {
        Self { id, principal, times, pending: AtomicBool::new(pending), ended: AtomicBool::new(false) }
    }

    /// Its end has been seen here: its connections have another one coming, or have ended, too.
    pub(super) fn mark_ended(&self) {
        self.ended.store(true, Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }
}
