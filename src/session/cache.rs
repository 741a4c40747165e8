//! What stands in memory of sessions: copies of rows, found by their ids, and the list of those that were used since the last
//! flush.
//!
//! The order of locks: which Archon session a connection is bound to ([`Live::bound`]), then the place of an Archon session
//! here, then the list. Nothing here holds one of its locks while it takes another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use uuid::Uuid;

use super::archon::Archon;
use super::live::Live;
use super::times::Times;
use crate::model::timestamp::Timestamp;
use crate::store::boots::Outage;
use crate::store::sessions::Ended;

/// The sessions in memory.
#[derive(Debug, Default)]
pub(super) struct Cache {
    live: DashMap<Arc<str>, Arc<Live>>,
    archons: DashMap<Uuid, Arc<Archon>>,
    dirty: Mutex<Dirty>,
}

/// Sessions used since the last flush.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) live: Vec<Arc<Live>>,
    pub(super) archons: Vec<Arc<Archon>>,
}

impl Cache {
    /// How many protocol sessions there are.
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// The protocol session of that id.
    pub(super) fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.live.get(id).map(|entry| entry.value().clone())
    }

    /// The Archon session of that id.
    pub(super) fn archon(&self, id: Uuid) -> Option<Arc<Archon>> {
        self.archons.get(&id).map(|entry| entry.value().clone())
    }

    /// Takes a protocol session in. Of those that come at the same time one wins, and all go on with that one; whether it
    /// was this one.
    pub(super) fn insert(&self, live: Arc<Live>) -> (Arc<Live>, bool) {
        let entry = self.live.entry(live.id.clone());
        let is_first = matches!(entry, dashmap::Entry::Vacant(_));
        (entry.or_insert(live).value().clone(), is_first)
    }

    /// The Archon session of that id; made where there is none.
    pub(super) fn archon_or(&self, id: Uuid, make: impl FnOnce() -> Arc<Archon>) -> Arc<Archon> {
        self.archons.entry(id).or_insert_with(make).value().clone()
    }

    /// Takes a protocol session out that is not to be known any more, for whatever reason.
    pub(super) fn forget(&self, id: &str) -> Option<Arc<Live>> {
        self.live.remove(id).map(|(_, live)| live)
    }

    /// Takes a protocol session out that has ended; whether it was there.
    pub(super) fn end(&self, id: &str, ended: Ended) -> bool {
        self.forget(id).inspect(|live| live.mark_ended(ended)).is_some()
    }

    /// Takes an Archon session out.
    pub(super) fn forget_archon(&self, id: Uuid) -> Option<Arc<Archon>> {
        self.archons.remove(&id).map(|(_, archon)| archon)
    }

    /// The protocol sessions in which something runs.
    pub(super) fn busy(&self) -> Vec<Arc<Live>> {
        self.live.iter().filter(|entry| entry.value().is_busy()).map(|entry| entry.value().clone()).collect()
    }

    /// Takes out what is idle and nobody holds.
    pub(super) fn evict(&self, is_idle: impl Fn(&Times) -> bool) {
        // One with an open stream hears of its end only as long as it is here.
        self.live.retain(|_, live| live.is_busy() || live.has_stream() || !is_idle(&live.times));
        // One that a connection in memory holds stays, or there would be two of it.
        self.archons.retain(|_, archon| Arc::strong_count(archon) > 1 || !is_idle(&archon.times));
    }

    /// Gives all of them the time of an outage back.
    pub(super) fn credit(&self, outage: &Outage, now: Timestamp) {
        self.live.iter().for_each(|live| live.value().times.credit(outage, now));
        self.archons.iter().for_each(|archon| archon.value().times.credit(outage, now));
    }

    /// The list of those that were used since the last flush.
    pub(super) fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
