//! A session in memory: a copy of its row with a lease, and what runs in it now.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{LEASE, Policy};
use crate::model::timestamp::Timestamp;
use crate::protocol::frame::is_same_id;
use crate::protocol::revision::Revision;
use crate::store::credits::Outage;
use crate::store::lookup::Ended;
use crate::store::rows::ClientFacts;

/// A protocol session in memory.
#[derive(Debug)]
pub struct Live {
    /// The id in `Mcp-Session-Id`.
    pub id: Arc<str>,
    /// Who owns it.
    pub principal: Arc<str>,
    /// The revision agreed on.
    pub revision: Revision,
    /// The client's program.
    pub client_type: Arc<str>,
    pub(super) times: Times,
    bound: Mutex<Bound>,
    ended: OnceLock<Ended>,
    /// The store is being asked about it in the background: it did not answer at once.
    renewing: AtomicBool,
    running: Mutex<Vec<Run>>,
}

/// What is known of a request that runs.
#[derive(Debug)]
struct Run {
    id: Arc<str>,
    token: CancellationToken,
    /// The Archon session that it runs in: the client may have named another than the bound one.
    archon: Arc<Archon>,
}

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

/// The Archon session of a protocol session.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    /// Its id is reserved; its row is made at the first tool call, from what the client said in `initialize`.
    Reserved(Uuid, Arc<ClientFacts>),
    /// It exists.
    Exists(Arc<Archon>),
}

/// The times of a session, moved by touches.
#[derive(Debug)]
pub(super) struct Times {
    started: Timestamp,
    last_activity: AtomicI64,
    expires_at: AtomicI64,
    /// When the store last said that it is valid, in milliseconds of uptime.
    checked_at: AtomicU64,
    dirty: AtomicBool,
}

/// A request that runs in a session. Ends with its drop.
#[derive(Debug)]
pub struct Running {
    live: Arc<Live>,
    token: CancellationToken,
    id: Arc<str>,
}

impl Times {
    pub(super) fn new(started: Timestamp, last_activity: Timestamp, expires_at: Timestamp, checked_at: u64) -> Self {
        Self {
            started,
            last_activity: AtomicI64::new(last_activity.millis()),
            expires_at: AtomicI64::new(expires_at.millis()),
            checked_at: AtomicU64::new(checked_at),
            dirty: AtomicBool::new(false),
        }
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn last_activity(&self) -> Timestamp {
        Timestamp::from_millis(self.last_activity.load(Relaxed))
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.load(Relaxed))
    }

    /// Exactly at the limit is still valid.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now > self.expires_at()
    }

    /// Whether the store said within the lease that it is valid.
    pub(super) fn is_leased(&self, uptime_ms: u64) -> bool {
        self.was_checked_within(LEASE, uptime_ms)
    }

    pub(super) fn was_checked_within(&self, span: std::time::Duration, uptime_ms: u64) -> bool {
        u128::from(uptime_ms.saturating_sub(self.checked_at.load(Relaxed))) < span.as_millis()
    }

    /// The store says that it is valid, at least until then.
    pub(super) fn confirm(&self, expires_at: Timestamp, uptime_ms: u64) {
        self.expires_at.fetch_max(expires_at.millis(), Relaxed);
        self.checked_at.fetch_max(uptime_ms, Relaxed);
    }

    /// Moves the times forward; `true` when it was clean before and so must be put on the list of the next flush.
    pub(super) fn touch(&self, now: Timestamp, expires_at: Timestamp) -> bool {
        self.last_activity.fetch_max(now.millis(), Relaxed);
        self.expires_at.fetch_max(expires_at.millis(), Relaxed);
        !self.dirty.swap(true, Relaxed)
    }

    /// Time that was not idleness is given back: what of it came after the last use. A clock that was set back takes the
    /// times along that lie ahead of it; what was used since is on its scale already.
    pub(super) fn credit(&self, outage: &Outage, now: Timestamp) {
        let by = outage.credit_ms;
        if by < 0 {
            if self.last_activity() <= now {
                return;
            }
            self.last_activity.fetch_add(by, Relaxed);
        }
        let unused = outage.ended_at.millis().saturating_sub(self.last_activity.load(Relaxed)).max(0);
        self.expires_at.fetch_add(by.min(unused), Relaxed);
    }

    /// The flush takes it.
    pub(super) fn clean(&self) {
        self.dirty.store(false, Relaxed);
    }

    /// The flush failed: `true` when it must go back on the list, `false` when a touch has put it there meanwhile.
    pub(super) fn soil(&self) -> bool {
        !self.dirty.swap(true, Relaxed)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Relaxed)
    }
}

impl Policy {
    /// The end of an Archon session's time: min(last use + timeout, start + greatest age).
    pub fn archon_end(&self, started: Timestamp, last_use: Timestamp) -> Timestamp {
        self.not_too_old(started, last_use.plus(self.timeout))
    }

    /// The end of a connection's time, likewise.
    pub fn protocol_end(&self, started: Timestamp, last_use: Timestamp) -> Timestamp {
        self.not_too_old(started, last_use.plus(self.protocol_timeout))
    }

    /// That moment, or that of the greatest age if it comes before.
    pub(super) fn not_too_old(&self, started: Timestamp, end: Timestamp) -> Timestamp {
        self.max_age.map_or(end, |age| end.min(started.plus(age)))
    }
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

impl Live {
    pub(super) fn new(
        id: Arc<str>,
        principal: Arc<str>,
        revision: Revision,
        client_type: Arc<str>,
        times: Times,
        bound: Bound,
    ) -> Self {
        Self {
            id,
            principal,
            revision,
            client_type,
            times,
            bound: Mutex::new(bound),
            ended: OnceLock::new(),
            renewing: AtomicBool::new(false),
            running: Mutex::default(),
        }
    }

    /// The Archon session's id, reserved or real.
    pub fn archon_id(&self) -> Uuid {
        match &*self.bound() {
            Bound::Reserved(id, _) => *id,
            Bound::Exists(archon) => archon.id,
        }
    }

    /// The Archon session, once it exists.
    pub fn archon(&self) -> Option<Arc<Archon>> {
        match &*self.bound() {
            Bound::Reserved(..) => None,
            Bound::Exists(archon) => Some(archon.clone()),
        }
    }

    pub(super) fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins. `id` is its JSON-RPC id, by which `notifications/cancelled` names it.
    pub fn begin(self: &Arc<Self>, id: &str, archon: &Arc<Archon>) -> Running {
        let (token, id) = (CancellationToken::new(), Arc::from(id));
        self.running().push(Run { id: Arc::clone(&id), token: token.clone(), archon: archon.clone() });
        // Its end may have been seen since it was validated.
        if self.ended().is_some_and(|ended| !ended.is_for_time()) {
            token.cancel();
        }
        Running { live: self.clone(), token, id }
    }

    /// Cancels every running request of that id: clients do use one id twice, and then both are meant. How many.
    pub fn cancel(&self, id: &str) -> usize {
        let running = self.running();
        let meant = running.iter().filter(|run| is_same_id(&run.id, id));
        meant.map(|run| run.token.cancel()).count()
    }

    /// Its end has been seen here: what still runs in it is late. Unless it ended for time, nobody is to use its results
    /// any more: what runs is cancelled.
    pub(super) fn mark_ended(&self, ended: Ended) {
        let for_time = ended.is_for_time();
        if self.ended.set(ended).is_ok() && !for_time {
            self.running().iter().for_each(|run| run.token.cancel());
        }
    }

    /// Its end, where it was made or seen here; one made elsewhere is found by the times of its rows (see the store).
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }

    /// Whether the store is being asked about it in the background.
    pub(super) fn is_renewing(&self) -> bool {
        self.renewing.load(Relaxed)
    }

    /// The store is being asked in the background, until what this gives is dropped.
    pub(super) fn begin_renewal(self: &Arc<Self>) -> Renewal {
        self.renewing.store(true, Relaxed);
        Renewal(self.clone())
    }

    /// Whether a request runs in it now: then no reaper takes it.
    pub fn is_busy(&self) -> bool {
        !self.running().is_empty()
    }

    /// The Archon sessions that its running requests use.
    pub(super) fn used_archons(&self) -> Vec<Arc<Archon>> {
        self.running().iter().map(|run| run.archon.clone()).collect()
    }

    fn running(&self) -> MutexGuard<'_, Vec<Run>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question to the store that goes on in the background.
#[derive(Debug)]
pub(super) struct Renewal(Arc<Live>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.renewing.store(false, Relaxed);
    }
}

impl Running {
    /// Fires when the client cancels the request or the server stops.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.live.running();
        // By the address of the id, not by its text: a second request of the same id stays.
        if let Some(place) = running.iter().position(|run| Arc::ptr_eq(&run.id, &self.id)) {
            running.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests;
