//! Every request is validated: within the lease from memory, else by one indexed read.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use uuid::Uuid;

use super::live::{Bound, Live};
use super::times::Times;
use super::{SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::{EndReason, beginning};
use crate::model::timestamp::Timestamp;
use crate::protocol::capabilities::ClientCapabilities;
use crate::protocol::header;
use crate::protocol::revision::Revision;
use crate::store::StoreError;
use crate::store::rows::{Binding, Write};
use crate::store::sessions::{End, Ended, Ending, Life, StoredProtocolSession, StoredSession};

/// How often a connection is looked up anew because its Archon session was over, or somebody was faster.
const LOOKS: usize = 4;

impl Sessions {
    /// The live session of that id.
    ///
    /// # Errors
    /// [`SessionError`]: malformed, unknown, ended, another principal's, or the store cannot tell.
    pub async fn validate(self: &Arc<Self>, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        self.find(id, principal).await
    }

    async fn find(self: &Arc<Self>, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        if !header::is_session_id(id) {
            return Err(SessionError::Malformed);
        }
        let cached = self.cache.live(id);
        // The rare ways are boxed: every request's future would carry their size along.
        let Some(live) = cached else { return Box::pin(self.load(id, principal)).await };
        Self::check_owner(&live.principal, principal)?;
        let is_good = || {
            let archon = match &*live.bound() {
                Bound::Exists(archon) => !self.is_done(archon),
                Bound::Reserved(..) => true,
            };
            archon && !self.is_over(&live.times)
        };
        if is_good() && live.times.is_leased(self.uptime_ms()) {
            return Ok(live);
        }
        // What runs in it keeps it, even if the clock has jumped since the last pulse.
        if live.is_busy() && !is_good() {
            self.touch(&live, live.archon().as_ref());
            if is_good() && live.times.is_leased(self.uptime_ms()) {
                return Ok(live);
            }
        }
        Box::pin(self.renew(live)).await
    }

    /// A connection's row, with an Archon session that is alive or an id reserved for the next one. An Archon session that
    /// is over is ended here and then: whoever does it reserves that id in the same transaction, all others find it.
    pub(super) async fn current(
        &self,
        id: &str,
        known: Timestamp,
    ) -> Result<Option<StoredProtocolSession>, StoreError> {
        for _ in 1..LOOKS {
            let Some(row) = self.store.protocol_session(id).await? else { return Ok(None) };
            if row.latest_outage > self.credits().latest() {
                self.hear_of_outage();
            }
            if row.life.ended.is_some() || self.has_passed(self.protocol_end(&row.life).max(known)) {
                return Ok(Some(row));
            }
            match &row.archon {
                Some(archon) if archon.life.ended.is_some() => {
                    self.store.reserve_next(id, archon.session_id, Uuid::new_v4()).await?;
                }
                Some(archon) if self.is_stored_over(archon) => self.expire(archon).await?,
                _ => return Ok(Some(row)),
            }
        }
        self.store.protocol_session(id).await
    }

    /// Whether the time of a stored Archon session is over, by its row and by what is in memory.
    pub(super) fn is_stored_over(&self, stored: &StoredSession) -> bool {
        let known = self.cache.archon(stored.session_id).map(|archon| archon.times.expires_at());
        self.has_passed(self.archon_end(&stored.life).max(known.unwrap_or_default()))
    }

    /// Ends an Archon session whose time is over, unless it was used since its row was read.
    pub(super) async fn expire(&self, stored: &StoredSession) -> Result<(), StoreError> {
        let now = self.clock.now();
        let ending = Ending { reason: self.reason_of_expiry(stored.life.started, now), by: "server", at: now };
        if self.store.end_archon_for_time(stored.session_id, ending, stored.life.expires_at).await? {
            tracing::debug!("Session {} marked as expired in database", stored.session_id);
            self.forget_archon(stored.session_id);
        }
        Ok(())
    }

    /// Another server may have made the Archon session, or its time was over and there is an id for the next.
    pub(super) fn follow_binding(&self, live: &Live, row: &StoredProtocolSession, uptime: u64) {
        let stored = row.archon.as_ref().filter(|archon| archon.life.ended.is_none());
        let mut bound = live.bound();
        match (&*bound, stored) {
            (before, Some(stored)) => {
                // Another connection has made it: the requests of this one from before belong to it, too.
                if matches!(before, Bound::Reserved(..)) {
                    let binding = Binding { protocol_session_id: live.id.clone(), session_id: stored.session_id };
                    self.store.writer().submit_unwatched(Write::Bind(Box::new(binding)));
                }
                *bound = Bound::Exists(self.archon_from(stored, uptime));
            }
            // Made here a moment ago and still in the queue: the row will come.
            (Bound::Exists(archon), None) if row.session_id == archon.id && archon.pending.load(Relaxed) => {}
            (Bound::Reserved(id, _), None) if *id == row.session_id => {}
            (_, None) => *bound = Bound::Reserved(row.session_id, Arc::new(row.client.facts())),
        }
    }

    /// A session that is not in memory: after a restart, or idle for long, or made by another server.
    async fn load(&self, id: &str, principal: &Principal) -> Result<Arc<Live>, SessionError> {
        // "Unknown" is not cached: another server may issue the id the next moment.
        let Some(row) = self.current(id, Timestamp::from_millis(0)).await? else { return Err(SessionError::Unknown) };
        let row = self.checked(id, row, principal).await?;
        let revision = Revision::parse(&row.protocol_version).unwrap_or(Revision::LATEST);
        let uptime = self.uptime_ms();
        let bound = match row.archon.as_ref().filter(|archon| archon.life.ended.is_none()) {
            Some(archon) => Bound::Exists(self.archon_from(archon, uptime)),
            None => Bound::Reserved(row.session_id, Arc::new(row.client.facts())),
        };
        let times = Times::new(row.life.started, self.last_use(&row.life), self.protocol_end(&row.life), uptime);
        let capabilities = ClientCapabilities::read(row.client.capabilities().as_deref());
        let client = (row.client.program(), capabilities);
        let live = Arc::new(Live::new(Arc::from(id), principal.name.clone(), revision, client, times, bound));
        let (live, first) = self.cache.insert(live);
        // Not used in this boot before: it has come through a restart.
        if first && row.life.last_activity < self.boot.started_at {
            self.counters.resumed.fetch_add(1, Relaxed);
            self.event("recovered", Some(&live), &live.id, None);
            tracing::info!(session = beginning(&live.id), client = %live.client_type, "session goes on after a restart");
        }
        Ok(live)
    }

    /// Who owns a session; `None` of one that never was.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell now.
    pub async fn owner(&self, id: &str) -> Result<Option<String>, StoreError> {
        Ok(self.store.protocol_session(id).await?.map(|row| row.principal))
    }

    /// A live session of nobody, from before tokens were asked for, belongs to the first principal that presents its id.
    async fn checked(
        &self,
        id: &str,
        row: StoredProtocolSession,
        principal: &Principal,
    ) -> Result<StoredProtocolSession, SessionError> {
        let never = Timestamp::from_millis(0);
        if !row.principal.is_empty() || principal.name.is_empty() {
            Self::check_owner(&row.principal, principal)?;
            self.check_life(id, &row, never).await?;
            return Ok(row);
        }
        self.check_life(id, &row, never).await?;
        if !self.store.claim(id, principal, self.clock.now()).await? {
            return Err(SessionError::Foreign);
        }
        tracing::info!(session = beginning(id), principal = %principal.name, "a session from before tokens was claimed");
        self.current(id, never).await?.ok_or(SessionError::Unknown)
    }

    fn check_owner(owner: &str, principal: &Principal) -> Result<(), SessionError> {
        if *owner == *principal.name {
            return Ok(());
        }
        Err(SessionError::Foreign)
    }

    /// An ended row is an answer; a live row past its time is ended there and then, unless it was used since it was read.
    pub(super) async fn check_life(
        &self,
        id: &str,
        row: &StoredProtocolSession,
        known: Timestamp,
    ) -> Result<(), SessionError> {
        let (mut life, known) = (row.life.clone(), self.policy.not_too_old(row.life.started, known));
        loop {
            if let Some(ended) = life.ended {
                return Err(SessionError::Ended(ended));
            }
            if !self.has_passed(self.protocol_end(&life).max(known)) {
                return Ok(());
            }
            let now = self.clock.now();
            let reason = self.reason_of_expiry(life.started, now);
            let ending = Ending { reason, by: "server", at: now };
            if self.store.end_protocol_for_time(id, ending, life.expires_at).await? {
                return Err(SessionError::Ended(Ended {
                    at: Some(now),
                    reason: reason.to_string(),
                    by: "server".into(),
                }));
            }
            life = self.store.protocol_session(id).await?.ok_or(SessionError::Unknown)?.life;
        }
    }

    /// Too old, or silent for too long.
    pub(super) fn reason_of_expiry(&self, started: Timestamp, now: Timestamp) -> EndReason {
        match self.policy.max_age {
            Some(age) if now > started.plus(age) => EndReason::MaxAge,
            _ => EndReason::Timeout,
        }
    }

    /// The end of a stored Archon session's time, with the outages since it was written.
    pub(super) fn archon_end(&self, life: &Life) -> Timestamp {
        let idle = life.expires_at.unwrap_or_else(|| life.last_activity.plus(self.policy.timeout));
        self.policy.not_too_old(life.started, self.credits().extend(idle, life.credited))
    }

    /// When a stored session was last used, on the clock as it is set now.
    pub(super) fn last_use(&self, life: &Life) -> Timestamp {
        let back = self.credits().set_back_since(life.credited);
        if life.last_activity > self.clock.now() { life.last_activity.minus(back) } else { life.last_activity }
    }

    /// The same of a connection. A row that says less than the timeout was written under a shorter one.
    pub(super) fn protocol_end(&self, life: &Life) -> Timestamp {
        let idle = life.last_activity.plus(self.policy.protocol_timeout);
        let idle = life.expires_at.map_or(idle, |end| end.max(idle));
        self.policy.not_too_old(life.started, self.credits().extend(idle, life.credited))
    }

    /// Takes a session that has ended out of memory.
    pub(super) fn forget(&self, live: &Live, ended: Ended) {
        live.mark_ended(ended);
        self.cache.forget(&live.id);
    }

    /// The same of an Archon session: its connections look for the next one.
    pub(super) fn forget_archon(&self, id: Uuid) {
        if let Some(archon) = self.cache.forget_archon(id) {
            archon.mark_ended();
        }
    }

    /// A session has ended, here or elsewhere: what stands of it in memory is not true any more.
    pub(super) fn on_end(&self, end: &End) {
        match (&end.protocol_session_id, end.session_id) {
            (Some(id), _) => {
                if self.cache.end(id, end.ended.clone()) {
                    self.counters.ended_elsewhere.fetch_add(1, Relaxed);
                }
            }
            (None, Some(id)) => {
                self.ends.note(&end.ended.reason);
                self.forget_archon(id);
            }
            (None, None) => {}
        }
    }
}
