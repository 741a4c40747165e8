//! Which Archon session a call belongs to: the one that the client names, the one bound to its protocol session, or a
//! new one under the reserved id (guide, "Client Session ID Validation").

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::live::{Archon, Bound, Live, Times};
use super::renew::RENEWAL;
use super::{Opening, SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::SessionRule;
use crate::model::text::clean;
use crate::store::commit::{Commit, Ticket};
use crate::store::rows::{Binding, ClientFacts, NewSession, Write};
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
        let archon = self.archons.get(&Uuid::parse_str(text).ok()?)?.value().clone();
        let is_trusted = archon.times.was_checked_within(self.policy.store_grace, self.uptime_ms());
        (is_trusted && archon.principal == principal.name && !self.is_done(&archon)).then_some(archon)
    }

    /// What an id that a client names turns out to be.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store cannot tell.
    async fn named_archon(&self, text: &str, principal: &Principal, protocol_id: &str) -> Result<Named, SessionError> {
        let Ok(id) = Uuid::parse_str(text) else { return Ok(self.invalid(text, protocol_id)) };
        let cached = self.archons.get(&id).map(|entry| entry.value().clone());
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
    pub(super) async fn reservable(&self, opening: &Opening<'_>) -> Result<Reservable, SessionError> {
        let Some(text) = opening.archon else { return Ok(Reservable::New(Uuid::new_v4())) };
        Ok(match self.named_archon(text, opening.principal, "").await? {
            Named::Live(archon) => Reservable::Exists(archon),
            Named::Reserved(id, _) => Reservable::New(id),
            Named::Refused => Reservable::New(Uuid::new_v4()),
        })
    }

    fn invalid(&self, text: &str, protocol_id: &str) -> Named {
        if self.warned.first(("archon", protocol_id, text)) {
            let id = clean(text, 128);
            tracing::warn!(
                session = protocol_id,
                "Client-provided session {id} invalid/expired, will create new session"
            );
        }
        Named::Refused
    }

    /// The copy in memory of a stored Archon session: the same for all who use it.
    pub(super) fn archon_from(&self, stored: &StoredSession, uptime: u64) -> Arc<Archon> {
        let expires_at = self.archon_end(&stored.life);
        let entry = self.archons.entry(stored.session_id).or_insert_with(|| {
            let times = Times::new(stored.life.started, self.last_use(&stored.life), expires_at, uptime);
            Arc::new(Archon::new(stored.session_id, Arc::from(stored.principal.as_str()), times, false))
        });
        entry.pending.store(false, Relaxed);
        entry.times.confirm(expires_at, uptime);
        entry.value().clone()
    }

    /// Rule 3: a new Archon session. Of concurrent first calls one makes it; its row is queued before any of theirs.
    async fn create(
        &self,
        live: &Arc<Live>,
        id: Uuid,
        principal: &Principal,
        patience: Duration,
    ) -> (Arc<Archon>, SessionRule) {
        // Another protocol session with the same reserved id may have made it already.
        let mut rule = SessionRule::Bound;
        let (archon, client, ticket) = {
            let mut bound = live.bound();
            let client = match &*bound {
                Bound::Exists(archon) => return (archon.clone(), SessionRule::Bound),
                Bound::Reserved(_, client) => client.clone(),
            };
            let make = || {
                rule = SessionRule::New;
                Arc::new(self.new_archon(id, principal))
            };
            let archon = self.archons.entry(id).or_insert_with(make).value().clone();
            let row = self.session_row(&live.id, &archon, &client, principal);
            let ticket = self.store.writer().submit(Write::Create(Box::new(row)));
            *bound = Bound::Exists(archon.clone());
            (archon, client, ticket)
        };
        if !self.is_created(ticket, &archon, &client, patience).await {
            *live.bound() = Bound::Reserved(Uuid::new_v4(), client);
        }
        (archon, rule)
    }

    /// Rule 1 for a caller with a session of its own: the one that it names is made for the protocol session that has
    /// reserved it, and the caller's own binding stays.
    async fn create_for(
        &self,
        owner: Reserver,
        id: Uuid,
        principal: &Principal,
        patience: Duration,
    ) -> Option<(Arc<Archon>, SessionRule)> {
        let mut rule = SessionRule::Client;
        let client = owner.client.facts();
        let make = || {
            rule = SessionRule::New;
            Arc::new(self.new_archon(id, principal))
        };
        let archon = self.archons.entry(id).or_insert_with(make).value().clone();
        let row = self.session_row(&Arc::from(owner.protocol_session_id), &archon, &client, principal);
        let ticket = self.store.writer().submit(Write::Create(Box::new(row)));
        self.is_created(ticket, &archon, &client, patience).await.then_some((archon, rule))
    }

    /// Waits for the commit of a new Archon session. `false` when the store refused its row; late is not refused.
    async fn is_created(&self, ticket: Ticket, archon: &Archon, client: &ClientFacts, patience: Duration) -> bool {
        match ticket.within(patience).await {
            Commit::Done => {
                archon.pending.store(false, Relaxed);
                archon.times.confirm(archon.times.expires_at(), self.uptime_ms());
                tracing::info!(
                    session = %archon.id, client = %client.client_type,
                    "Archon tracking session created on first tool call - session: {}, client: {}", archon.id, client.client_type
                );
            }
            Commit::Deferred => {}
            Commit::Refused(reason) => {
                tracing::warn!(session = %archon.id, reason, "Failed to persist session to database");
                self.archons.remove(&archon.id);
                return false;
            }
        }
        true
    }

    fn new_archon(&self, id: Uuid, principal: &Principal) -> Archon {
        let now = self.clock.now();
        let times = Times::new(now, now, self.policy.archon_end(now, now), self.uptime_ms());
        Archon::new(id, principal.name.clone(), times, true)
    }

    fn session_row(
        &self,
        protocol_id: &Arc<str>,
        archon: &Archon,
        client: &ClientFacts,
        principal: &Principal,
    ) -> NewSession {
        let metadata = serde_json::json!({ "name": client.client_name, "version": client.client_version });
        // Held while the times are read: no outage is credited between them and the number of the last one.
        let credits = self.credits.read().unwrap_or_else(PoisonError::into_inner);
        NewSession {
            session_id: archon.id,
            protocol_session_id: protocol_id.clone(),
            principal: principal.name.clone(),
            client: client.clone(),
            connected_at: archon.times.started(),
            last_activity: archon.times.last_activity(),
            expires_at: archon.times.expires_at(),
            boot: self.boot.begun.number,
            credited: credits.latest(),
            user_id: principal.id,
            user_email: principal.email.clone(),
            user_name: (!principal.name.is_empty()).then(|| principal.name.clone()),
            metadata: RawValue::from_string(metadata.to_string()).ok(),
        }
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
