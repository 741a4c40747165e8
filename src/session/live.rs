//! A session in memory: a copy of its row with a lease, and what runs in it now.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use super::archon::Archon;
use super::running::Runs;
use super::times::Times;
use crate::protocol::capabilities::ClientCapabilities;
use crate::protocol::level::Level;
use crate::protocol::revision::Revision;
use crate::store::rows::ClientFacts;
use crate::store::sessions::Ended;

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
    runs: Arc<Runs>,
    /// Which questions its client answers.
    pub capabilities: ClientCapabilities,
    log_level: AtomicU8,
    /// How many streams of messages are open: one, or for a moment the old one and its successor.
    streams: AtomicU8,
    /// Wakes whoever waits for its end.
    over: Notify,
}

/// A stream of messages to a client.
#[derive(Debug)]
pub struct OpenStream(Arc<Live>);

/// The Archon session of a protocol session.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    /// Its id is reserved; its row is made at the first tool call, from what the client said in `initialize`.
    Reserved(Uuid, Arc<ClientFacts>),
    /// It exists.
    Exists(Arc<Archon>),
}

impl Live {
    pub(super) fn new(
        id: Arc<str>,
        principal: Arc<str>,
        revision: Revision,
        client: (Arc<str>, ClientCapabilities),
        times: Times,
        bound: Bound,
    ) -> Self {
        let (client_type, capabilities) = client;
        Self {
            id,
            principal,
            revision,
            client_type,
            times,
            bound: Mutex::new(bound),
            ended: OnceLock::new(),
            renewing: AtomicBool::new(false),
            runs: Arc::default(),
            capabilities,
            log_level: AtomicU8::new(Level::Info as u8),
            streams: AtomicU8::new(0),
            over: Notify::new(),
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

    /// Its end has been seen here: what still runs in it is late. Unless it ended for time, nobody is to use its results
    /// any more: what runs is cancelled.
    pub(super) fn mark_ended(&self, ended: Ended) {
        let for_time = ended.is_for_time();
        if self.ended.set(ended).is_ok() {
            if !for_time {
                self.runs.revoke();
            }
            self.over.notify_waiters();
        }
    }

    /// Returns when its end has been seen here.
    pub async fn until_ended(&self) {
        let over = self.over.notified();
        if self.ended.get().is_none() {
            over.await;
        }
    }

    /// The least serious log messages that its client wants to hear.
    pub fn log_level(&self) -> Level {
        Level::ALL.get(usize::from(self.log_level.load(Relaxed))).copied().unwrap_or(Level::Info)
    }

    /// From here on its client hears no less serious ones. It holds until the session leaves memory.
    pub fn set_log_level(&self, level: Level) {
        self.log_level.store(level as u8, Relaxed);
    }

    /// Its requests that run.
    pub fn runs(&self) -> &Arc<Runs> {
        &self.runs
    }

    /// A stream of messages to its client is open, until what this gives is dropped.
    pub fn open_stream(self: &Arc<Self>) -> OpenStream {
        self.streams.fetch_add(1, Relaxed);
        OpenStream(self.clone())
    }

    /// Whether one is.
    pub fn has_stream(&self) -> bool {
        self.streams.load(Relaxed) > 0
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
        !self.runs.is_empty()
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

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
