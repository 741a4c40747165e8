//! Every request is validated: within the lease from memory, else by one indexed read.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::live::{Bound, Live, Times};
use super::{SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::protocol::header;
use crate::protocol::revision::Revision;
use crate::store::StoreError;
use crate::store::ending::Ending;
use crate::store::feed::End;
use crate::store::lookup::{Ended, Life, StoredProtocolSession};
use crate::store::rows::{Binding, Write};

impl Sessions {
    /// The live session of that id.
    ///
    /// # Errors
    /// [`SessionError`]: malformed, unknown, ended, another principal's, or the store cannot tell.
    pub async fn validate(&self, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        let outcome = self.find(id, principal).await;
        if let Err(error) = &outcome {
            self.counters.refused.fetch_add(1, Relaxed);
            tracing::debug!(session = %id.chars().take(128).collect::<String>(), %error, "session refused");
        }
        outcome
    }

    async fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        if !header::is_session_id(id) {
            return Err(SessionError::Malformed);
        }
        let cached = self.live.get(id).map(|entry| entry.value().clone());
        // The rare ways are boxed: every request's future would carry their size along.
        let Some(live) = cached else { return Box::pin(self.load(id, principal)).await };
        self.check_owner(id, &live.principal, principal)?;
        // What runs in it keeps it, even if the clock has jumped since the last pulse (a machine that slept).
        if live.is_busy() && live.times.is_over(self.clock.now()) {
            self.touch(&live, live.archon().as_ref());
        }
        if live.times.is_leased(self.uptime_ms()) && !live.times.is_over(self.clock.now()) {
            return Ok(live);
        }
        Box::pin(self.renew(live)).await
    }

    /// The lease is over: the store is asked whether the session still lives.
    async fn renew(&self, live: Arc<Live>) -> Result<Arc<Live>, SessionError> {
        let row = match self.store.protocol_session(&live.id).await {
            Ok(row) => row,
            Err(error) => return self.trust(live, error),
        };
        let Some(row) = row else {
            self.forget(&live);
            return Err(SessionError::Unknown);
        };
        if let Err(ended) = self.check_life(&live.id, &row, live.times.expires_at()).await {
            self.forget(&live);
            return Err(ended);
        }
        let uptime = self.uptime_ms();
        live.times.confirm(self.effective_expiry(&row.life), uptime);
        self.follow_binding(&live, &row, uptime);
        Ok(live)
    }

    /// Another server may have made the Archon session, or somebody may have ended it.
    fn follow_binding(&self, live: &Live, row: &StoredProtocolSession, uptime: u64) {
        let stored = row.archon.as_ref().filter(|archon| archon.life.ended.is_none());
        let mut bound = live.bound();
        match (&*bound, stored) {
            (before, Some(stored)) => {
                // Another protocol session has made it: the requests of this one from before belong to it, too.
                if matches!(before, Bound::Reserved(..)) {
                    let binding = Binding { protocol_session_id: live.id.clone(), session_id: stored.session_id };
                    self.store.writer().submit_unwatched(Write::Bind(Box::new(binding)));
                }
                *bound = Bound::Exists(self.archon_from(stored, uptime));
            }
            // Made here a moment ago and still in the queue: the row will come.
            (Bound::Exists(archon), None) if row.archon.is_none() && archon.pending.load(Relaxed) => {}
            (Bound::Exists(_), None) => {
                let client = Arc::new(row.client.facts());
                *bound = Bound::Reserved(uuid::Uuid::new_v4(), client);
            }
            (Bound::Reserved(..), None) => {}
        }
    }

    /// The store does not answer: a session that it confirmed within the grace is trusted.
    fn trust(&self, live: Arc<Live>, error: StoreError) -> Result<Arc<Live>, SessionError> {
        let trusted = live.times.was_checked_within(self.policy.store_grace, self.uptime_ms());
        if trusted && !live.times.is_over(self.clock.now()) { Ok(live) } else { Err(error.into()) }
    }

    /// A session that is not in memory: after a restart, or idle for long, or made by another server.
    async fn load(&self, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        // "Unknown" is not cached: another server may issue the id the next moment.
        let Some(row) = self.store.protocol_session(id).await? else { return Err(SessionError::Unknown) };
        self.check_owner(id, &row.principal, principal)?;
        self.check_life(id, &row, Timestamp::from_millis(0)).await?;
        let revision = Revision::parse(&row.protocol_version).unwrap_or(Revision::LATEST);
        let uptime = self.uptime_ms();
        let bound = match row.archon.as_ref().filter(|archon| archon.life.ended.is_none()) {
            Some(archon) => Bound::Exists(self.archon_from(archon, uptime)),
            // The reserved id; a new one where that was used up by a session that has ended.
            None if row.archon.is_none() => Bound::Reserved(row.session_id, Arc::new(row.client.facts())),
            None => Bound::Reserved(uuid::Uuid::new_v4(), Arc::new(row.client.facts())),
        };
        let times = Times::new(row.life.started, row.life.last_activity, self.effective_expiry(&row.life), uptime);
        let live =
            Arc::new(Live::new(Arc::from(id), principal.name.clone(), revision, row.client.program(), times, bound));
        // Of concurrent first hits one wins, and all go on with its entry.
        let entry = self.live.entry(live.id.clone());
        let first = matches!(entry, dashmap::Entry::Vacant(_));
        let live = entry.or_insert(live).value().clone();
        // Not used in this boot before: it has come through a restart.
        if first && row.life.last_activity < self.boot.started_at {
            self.counters.resumed.fetch_add(1, Relaxed);
            self.event("recovered", Some(&live), &live.id, None);
            tracing::info!(session = %live.id, client = %live.client_type, "session goes on after a restart");
        }
        Ok(live)
    }

    fn check_owner(&self, id: &str, owner: &str, principal: &Principal) -> Result<(), SessionError> {
        if *owner == *principal.name {
            return Ok(());
        }
        if self.warned.first(("foreign", id, &principal.name)) {
            tracing::warn!(session = %id, principal = %principal.name, "a principal asked for another's session");
            self.event("refused", None, id, Some(format!("asked for by {}", principal.name)));
        }
        Err(SessionError::Foreign)
    }

    /// An ended row is an answer; a live row past its time is ended there and then.
    async fn check_life(&self, id: &str, row: &StoredProtocolSession, known: Timestamp) -> Result<(), SessionError> {
        if let Some(ended) = &row.life.ended {
            return Err(SessionError::Ended(ended.clone()));
        }
        let now = self.clock.now();
        if now <= self.effective_expiry(&row.life).max(known) {
            return Ok(());
        }
        let reason = self.reason_of_expiry(row.life.started, now);
        let ending = Ending { reason, by: "server", at: now };
        self.store.end_protocol_session(id, ending).await?;
        Err(SessionError::Ended(Ended { at: Some(now), reason: reason.to_string(), by: "server".into() }))
    }

    /// Too old, or silent for too long.
    pub(super) fn reason_of_expiry(&self, started: Timestamp, now: Timestamp) -> EndReason {
        match self.policy.max_age {
            Some(age) if now > started.plus(age) => EndReason::MaxAge,
            _ => EndReason::Timeout,
        }
    }

    /// The end of a row's time with the outages since it was written.
    pub(super) fn effective_expiry(&self, life: &Life) -> Timestamp {
        let stored = life.expires_at.unwrap_or_else(|| self.policy.expires_at(life.started, life.last_activity));
        self.credits.extend(stored, life.boot, life.started)
    }

    /// The Archon session's id of a session in memory.
    pub fn archon_id_of(&self, id: &str) -> Option<uuid::Uuid> {
        self.live.get(id).map(|entry| entry.value().archon_id())
    }

    /// Takes a session that has ended out of memory.
    pub(super) fn forget(&self, live: &Live) {
        live.mark_ended();
        self.live.remove(&live.id);
        if let Some(archon) = live.archon() {
            self.archons.remove(&archon.id);
        }
    }

    /// A session has ended, here or elsewhere: what stands of it in memory is not true any more.
    pub(super) fn heed(&self, end: &End) {
        match (&end.protocol_session_id, end.session_id) {
            (Some(id), _) => {
                if let Some((_, live)) = self.live.remove(id.as_str()) {
                    live.mark_ended();
                    self.counters.ended_elsewhere.fetch_add(1, Relaxed);
                }
            }
            (None, Some(id)) => _ = self.archons.remove(&id),
            (None, None) => {}
        }
    }

    /// The client closes its session (DELETE).
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the end could not be committed; [`SessionError::Ended`] when somebody else
    /// was faster.
    pub async fn close(&self, live: &Live) -> Result<(), SessionError> {
        let now = self.clock.now();
        let ending = Ending { reason: EndReason::ClientDisconnect, by: "client", at: now };
        let ended = self.store.end_protocol_session(&live.id, ending).await?;
        self.forget(live);
        if ended {
            let seconds = now.since(live.times.started()).as_secs();
            tracing::debug!(session = %live.id, "Session {} closed gracefully (duration: {seconds}s, reason: client_disconnect)", live.id);
            return Ok(());
        }
        // Somebody was faster; the row says who.
        let row = self.store.protocol_session(&live.id).await?;
        Err(row.and_then(|row| row.life.ended).map_or(SessionError::Unknown, SessionError::Ended))
    }
}
