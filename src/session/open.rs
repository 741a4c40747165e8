//! `initialize`: a session is on disk before its client sees the id.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::bind::Reservable;
use super::limits::Reached;
use super::live::{Bound, Live};
use super::times::Times;
use super::{SessionError, Sessions};
use crate::model::client_type;
use crate::model::principal::Principal;
use crate::model::text::{self, clean_json};
use crate::protocol::capabilities::ClientCapabilities;
use crate::protocol::header;
use crate::protocol::initialize::{Implementation, InitializeParams};
use crate::protocol::revision::Revision;
use crate::store::StoreError;
use crate::store::rows::{ClientFacts, NewProtocolSession, Write};

/// How long `initialize` may take in all; then the answer is 503, because an id that a crash would lose is worthless.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest name or version that is kept, in characters.
const NAME_CHARS: usize = 200;
/// The largest `capabilities` or `clientInfo` that is kept, in bytes.
const FACTS_BYTES: usize = 4 * 1024;

/// What a client opens a session with.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Who it is for.
    pub principal: &'a Principal,
    /// The parameters of `initialize`.
    pub params: &'a InitializeParams,
    /// `X-Archon-Session-Id`, if it came along.
    pub archon: Option<&'a str>,
    /// `Mcp-Session-Id`, if an old one came along.
    pub previous: Option<&'a str>,
    /// Where it was asked for, if that is not within this machine's files and pipes.
    pub address: Option<IpAddr>,
}

impl Sessions {
    /// Opens a protocol session, with an Archon session bound or reserved.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when it could not be committed: then there is none; [`SessionError::Capped`] when there
    /// is no place.
    pub async fn open(&self, opening: &Opening<'_>) -> Result<Arc<Live>, SessionError> {
        // Nobody waits for what cannot be.
        if !self.store.takes_writes() {
            return Err(StoreError::unavailable("the database takes no writes").into());
        }
        let opened = tokio::time::timeout(PATIENCE, self.open_now(opening)).await;
        let late = |_| Err(StoreError::unavailable(format!("no answer within {PATIENCE:?}")).into());
        opened.unwrap_or_else(late).inspect_err(|error| self.note_cap(error, opening))
    }

    fn note_cap(&self, error: &SessionError, opening: &Opening<'_>) {
        let SessionError::Capped(cap) = error else { return };
        match (&*opening.principal.name, opening.address) {
            ("", None) => self.limits.note(cap.limit(), format_args!("no new session: {cap}")),
            ("", Some(address)) => self.limits.note(cap.limit(), format_args!("no new session for {address}: {cap}")),
            (name, _) => self.limits.note(cap.limit(), format_args!("no new session for {name}: {cap}")),
        }
    }

    /// Given up midway, it leaves nothing: what waits for its commit is withdrawn (see [`Write::Open`]).
    async fn open_now(&self, opening: &Opening<'_>) -> Result<Arc<Live>, SessionError> {
        self.check_space()?;
        let _place = self.admit(opening.principal, opening.address).await?;
        let (client, client_info) = facts_of(opening.params);
        // What a client can may be long: it stands in the row alone.
        let brief = || Arc::new(ClientFacts { client_capabilities: None, ..client.clone() });
        let bound = match self.reservable(opening.archon, opening.principal).await? {
            Reservable::Exists(archon) => Bound::Exists(archon),
            Reservable::New(id) => Bound::Reserved(id, brief()),
        };
        let now = self.clock.now();
        let revision = Revision::negotiate(&opening.params.protocol_version);
        let expires_at = self.policy.protocol_end(now, now);
        let live = Arc::new(Live::new(
            Arc::from(Uuid::new_v4().to_string()),
            opening.principal.name.clone(),
            revision,
            (client.client_type.clone(), ClientCapabilities::read(client.client_capabilities.as_deref())),
            Times::new(now, now, expires_at, self.uptime_ms()),
            bound,
        ));
        let credited = self.credits().latest();
        let row = NewProtocolSession {
            protocol_session_id: live.id.clone(),
            session_id: live.archon_id(),
            principal: live.principal.clone(),
            protocol_version: revision.as_str(),
            client,
            client_info,
            connected_at: now,
            last_activity: now,
            expires_at,
            boot: self.boot.begun.number,
            credited,
        };
        self.store.writer().submit(Write::Open(Box::new(row))).required(PATIENCE).await?;
        if let Some(previous) = opening.previous.filter(|id| header::is_session_id(id)) {
            self.event("reinitialised", Some(&live), &live.id, Some(format!("the client held {previous}")));
        }
        self.counters.opened.fetch_add(1, Relaxed);
        self.keep(&live, credited);
        tracing::debug!(session = %live.id, client = %live.client_type, %revision, "session opened");
        Ok(live)
    }
}

impl Sessions {
    /// The limits that were reached, whoever keeps them.
    pub fn limits(&self) -> &Arc<Reached> {
        &self.limits
    }

    /// From here on it is in memory, with the outages that were recorded while its row waited.
    fn keep(&self, live: &Arc<Live>, credited: i64) {
        // Held meanwhile: an outage is credited here, or by whoever records it and finds the session.
        let credits = self.credits.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        credits.outages.iter().filter(|outage| outage.number > credited).for_each(|it| live.times.credit(it, now));
        self.cache.insert(live.clone());
    }
}

/// Of capabilities that are too long to be kept, what a server asks for.
fn brief_of(params: &InitializeParams) -> Option<Box<RawValue>> {
    let stated = ClientCapabilities::read(params.capabilities.as_deref());
    RawValue::from_string(stated.to_json()).ok().filter(|_| stated != ClientCapabilities::default())
}

/// What the client says of itself, made fit for the store.
fn facts_of(params: &InitializeParams) -> (ClientFacts, Option<Box<RawValue>>) {
    let raw = |value: &Option<Box<RawValue>>| {
        let cleaned = value.as_ref().and_then(|raw| clean_json(raw.get(), FACTS_BYTES));
        cleaned.and_then(|text| RawValue::from_string(text).ok())
    };
    let info = raw(&params.client_info);
    // A `clientInfo` that is no object of texts says nothing; it does not make the handshake fail.
    let who = info
        .as_ref()
        .and_then(|raw| Implementation::deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok());
    let who = who.unwrap_or_default();
    let kept = |name: &str| (!name.is_empty()).then(|| text::name(name, NAME_CHARS));
    let facts = ClientFacts {
        client_type: Arc::from(client_type::detect(&text::name(&who.name, NAME_CHARS))),
        client_name: kept(&who.name),
        client_version: kept(&who.version),
        client_capabilities: raw(&params.capabilities).or_else(|| brief_of(params)),
    };
    (facts, info)
}
