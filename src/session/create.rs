//! A new Archon session: its row is queued before any of the calls that need it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::Sessions;
use super::archon::Archon;
use super::live::{Bound, Live};
use super::times::Times;
use crate::model::principal::Principal;
use crate::model::session::SessionRule;
use crate::store::commit::{Commit, Ticket};
use crate::store::rows::{ClientFacts, NewSession, Write};
use crate::store::sessions::Reserver;

impl Sessions {
    /// Rule 3: a new Archon session. Of concurrent first calls one makes it; its row is queued before any of theirs.
    pub(super) async fn create(
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
            let archon = self.cache.archon_or(id, make);
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
    pub(super) async fn create_for(
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
        let archon = self.cache.archon_or(id, make);
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
                if let Some(more) = self.warned.of("create", self.clock.elapsed()) {
                    tracing::warn!(session = %archon.id, reason, "Failed to persist session to database{more}");
                }
                self.cache.forget_archon(archon.id);
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
