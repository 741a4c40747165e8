//! Which Archon session a call belongs to: the one that the client names, the one bound to its protocol session, or a
//! new one under the reserved id (guide, "Client Session ID Validation").

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use uuid::Uuid;

use super::archon::Archon;
use super::live::{Bound, Live};
use super::renew::RENEWAL;
use super::times::Times;
use super::{SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::{SessionRule, beginning};
use crate::model::text::name;
use crate::store::rows::{Binding, Write};
use crate::store::sessions::{Reserver, StoredSession};

/// What a named id turned out to be.
#[derive(Debug)]
pub(super) enum Named {
    /// A live session of the caller's principal.
    Live(Arc<Archon>),
    /// The id is reserved, for that protocol session of the caller's principal.
    Reserved(Uuid, Reserver),
    /// Not to be used; said once in the log.
    Refused,
}

impl Sessions {
    /// The Archon session of a tool call, and the rule that gave it. Creates it where there is none.
    ///
    /// `patience` bounds the wait for the commit of a new one; after it the call goes on and the row stays queued.
    pub async fn bind(
        self: &Arc<Self>,
        live: &Arc<Live>,
        named: Option<&str>,
        principal: &Principal,
        patience: Duration,
    ) -> (Arc<Archon>, SessionRule) {
        let bound = live.bound().clone();
        if let Some(text) = named {
            let own = Uuid::parse_str(text).ok();
            match &bound {
                Bound::Exists(archon) if own == Some(archon.id) && !self.is_done(archon) => {
                    return (archon.clone(), SessionRule::Client);
                }
                Bound::Reserved(reserved, _) if own == Some(*reserved) => {}
                _ => {
                    // Boxed, as below: these are rare, and every call's future would carry their size along.
                    if let Some(found) = Box::pin(self.client_archon(live, text, principal, patience)).await {
                        return found;
                    }
                }
            }
        }
        match bound {
            Bound::Exists(archon) if self.is_done(&archon) => Box::pin(self.next(live, principal, patience)).await,
            Bound::Exists(archon) => (archon, SessionRule::Bound),
            Bound::Reserved(id, _) => Box::pin(self.create(live, id, principal, patience)).await,
        }
    }

    /// Whether an Archon session takes no more calls: it has ended, or its time is over.
    pub(super) fn is_done(&self, archon: &Archon) -> bool {
        archon.has_ended() || self.is_over(&archon.times)
    }

    /// The time of the bound Archon session was over: the next one, under the id that was reserved when it ended. Where
    /// the store cannot tell, the old one goes on: an analytics id never makes a call fail.
    async fn next(&self, live: &Arc<Live>, principal: &Principal, patience: Duration) -> (Arc<Archon>, SessionRule) {
        if !live.is_renewing() {
            let looking = self.current(&live.id, live.times.expires_at());
            match tokio::time::timeout(self.patience(), looking).await {
                Ok(Ok(Some(row))) if row.life.ended.is_none() => self.follow_binding(live, &row, self.uptime_ms()),
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => self.note_unanswered(),
            }
        }
        let bound = live.bound().clone();
        match bound {
            Bound::Exists(archon) => (archon, SessionRule::Bound),
            Bound::Reserved(id, _) => self.create(live, id, principal, patience).await,
        }
    }

    /// The client names a session other than its own. `None` when the id is not one to be used.
    async fn client_archon(
        &self,
        live: &Arc<Live>,
        text: &str,
        principal: &Principal,
        patience: Duration,
    ) -> Option<(Arc<Archon>, SessionRule)> {
        let unbound = matches!(&*live.bound(), Bound::Reserved(..));
        // A call does not wait for a store that is away: what it confirmed within the grace is trusted meanwhile.
        let known = self.known_archon(text, principal);
        let waits = if known.is_some() { RENEWAL } else { self.patience() };
        match tokio::time::timeout(waits, self.named_archon(text, principal, &live.id)).await {
            Ok(Ok(Named::Live(archon))) => {
                if unbound {
                    let binding = Binding { protocol_session_id: live.id.clone(), session_id: archon.id };
                    *live.bound() = Bound::Exists(archon.clone());
                    // Late is counted, and refused is logged, by the writer; the binding in memory holds either way.
                    _ = self.store.writer().submit(Write::Bind(Box::new(binding))).within(patience).await;
                }
                Some((archon, SessionRule::Client))
            }
            // It is made now.
            Ok(Ok(Named::Reserved(id, _))) if unbound => Some(self.create(live, id, principal, patience).await),
            Ok(Ok(Named::Reserved(id, owner))) => self.create_for(owner, id, principal, patience).await,
            // Not to be used, or the store cannot tell: an analytics id never makes a call fail.
            Ok(Ok(Named::Refused)) => None,
            Ok(Err(_)) | Err(_) if known.is_some() => known.map(|archon| (archon, SessionRule::Client)),
            Ok(Err(_)) | Err(_) => {
                self.note_unanswered();
                None
            }
        }
    }

    /// A session in memory of that id and principal, if it is trusted without the store.
    fn known_archon(&self, text: &str, principal: &Principal) -> Option<Arc<Archon>> {
        let archon = self.cache.archon(Uuid::parse_str(text).ok()?)?;
        let is_trusted = archon.times.was_checked_within(self.policy.store_grace, self.uptime_ms());
        (is_trusted && archon.principal == principal.name && !self.is_done(&archon)).then_some(archon)
    }

    /// What an id that a client names turns out to be.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store cannot tell.
    async fn named_archon(&self, text: &str, principal: &Principal, protocol_id: &str) -> Result<Named, SessionError> {
        let Ok(id) = Uuid::parse_str(text) else { return Ok(self.invalid(text, protocol_id)) };
        let cached = self.cache.archon(id);
        if let Some(archon) = cached
            && archon.times.is_leased(self.uptime_ms())
            && !self.is_done(&archon)
        {
            let own = archon.principal == principal.name;
            return Ok(if own { Named::Live(archon) } else { self.invalid(text, protocol_id) });
        }
        match self.store.archon_session(id).await? {
            Some(stored) if stored.principal != *principal.name => Ok(self.invalid(text, protocol_id)),
            Some(stored) if stored.life.ended.is_some() => {
                self.forget_archon(id);
                Ok(self.invalid(text, protocol_id))
            }
            Some(stored) if self.is_stored_over(&stored) => {
                self.expire(&stored).await?;
                Ok(self.invalid(text, protocol_id))
            }
            Some(stored) => Ok(Named::Live(self.archon_from(&stored, self.uptime_ms()))),
            None => match self.store.reserved_by(id).await? {
                Some(owner) if *owner.principal == *principal.name => Ok(Named::Reserved(id, owner)),
                _ => Ok(self.invalid(text, protocol_id)),
            },
        }
    }

    /// The id to reserve at `initialize`: the client's if it may have it (it is reserved already for the same
    /// principal), else a new one.
    pub(super) async fn reservable(
        &self,
        archon: Option<&str>,
        principal: &Principal,
    ) -> Result<Reservable, SessionError> {
        let Some(text) = archon else { return Ok(Reservable::New(Uuid::new_v4())) };
        Ok(match self.named_archon(text, principal, "").await? {
            Named::Live(archon) => Reservable::Exists(archon),
            Named::Reserved(id, _) => Reservable::New(id),
            Named::Refused => Reservable::New(Uuid::new_v4()),
        })
    }

    fn invalid(&self, text: &str, protocol_id: &str) -> Named {
        if let Some(more) = self.warned.once("archon", (protocol_id, text), self.clock.elapsed()) {
            let id = name(text, 128);
            tracing::warn!(
                session = beginning(protocol_id),
                "Client-provided session {id} invalid/expired, will create new session{more}"
            );
        }
        Named::Refused
    }

    /// The copy in memory of a stored Archon session: the same for all who use it.
    pub(super) fn archon_from(&self, stored: &StoredSession, uptime: u64) -> Arc<Archon> {
        let expires_at = self.archon_end(&stored.life);
        let archon = self.cache.archon_or(stored.session_id, || {
            let times = Times::new(stored.life.started, self.last_use(&stored.life), expires_at, uptime);
            Arc::new(Archon::new(stored.session_id, Arc::from(stored.principal.as_str()), times, false))
        });
        archon.pending.store(false, Relaxed);
        archon.times.confirm(expires_at, uptime);
        archon
    }
}

/// The Archon session of a session that opens.
#[derive(Debug)]
pub(super) enum Reservable {
    /// The client named a live one.
    Exists(Arc<Archon>),
    /// An id for one that its first tool call will make.
    New(Uuid),
}
