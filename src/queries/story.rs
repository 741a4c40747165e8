//! A session's whole story.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Queries;
use super::end::End;
use super::events::{Event, EventQuery};
use super::find::Found;
use super::requests::{Request, RequestQuery};
use super::sessions::{Session, SessionStatus, State};
use crate::model::event::{Actor, EventKind};
use crate::model::session::{EndReason, SessionRule};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::StoreError;
use crate::store::reports::alive::Moment;
use crate::store::reports::story::{ArchonRow, ProtocolRow};

/// The maximum number of a session's events that are told.
const EVENTS: usize = 200;

/// A session with all that belongs to it:
/// `{"session": {…}, "client_capabilities": {…}, "end_note": null, "archon_sessions": […], "older_removed": false,
/// "protocol_sessions": […], "requests": […], "events": […]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Story {
    /// The session, as lists show it.
    pub session: Session,
    /// What the client said that it can do.
    pub client_capabilities: Option<Box<RawValue>>,
    /// Why an operator ended it, in his words.
    pub end_note: Option<String>,
    /// The Archon sessions that a connection had, one after the other: the oldest first.
    pub archon_sessions: Vec<ArchonSession>,
    /// There were older ones, which retention has removed; the connection's counters still have their calls.
    pub older_removed: bool,
    /// The protocol sessions that its Archon session is bound to, the oldest first: others may share it.
    pub protocol_sessions: Vec<ProtocolSession>,
    /// Its last requests, the oldest first.
    pub requests: Vec<Request>,
    /// Its events, the oldest first.
    pub events: Vec<Event>,
}

/// A protocol session: what stands behind `Mcp-Session-Id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtocolSession {
    /// Its id.
    pub protocol_session_id: String,
    /// The revision agreed on.
    pub protocol_version: String,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// What it is now.
    pub status: SessionStatus,
    /// The rule that bound it to the Archon session; none while it has called no tool.
    pub bound_by: Option<Word<SessionRule>>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid unless used; once it has ended: until when it was.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it.
    pub ended_by: Option<Word<Actor>>,
}

/// An Archon session of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchonSession {
    /// Its id.
    pub session_id: String,
    /// The connection that opened it, if another one did.
    pub shared_from: Option<String>,
    /// What it is now.
    pub status: SessionStatus,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it goes on unless used; once it has ended: until when it was.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it.
    pub ended_by: Option<Word<Actor>>,
    /// How long it lasted, or has lasted so far, in whole seconds.
    pub duration_s: u64,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

impl ArchonSession {
    fn of(row: ArchonRow, connection: &str, moment: &Moment) -> Self {
        let (time, said) = (row.time(), (row.disconnected_at, row.disconnect_reason, row.ended_by));
        let end = End::of_archon(&row.status, &time, said, moment);
        Self {
            session_id: row.session_id,
            shared_from: row.opened_by.filter(|by| by != connection),
            status: end.status,
            connected_at: row.connected_at,
            last_activity: row.last_activity,
            expires_at: end.expires_at,
            disconnected_at: end.at,
            disconnect_reason: end.reason,
            ended_by: end.by,
            duration_s: end.at.unwrap_or(moment.now).since(row.connected_at).as_secs(),
            calls: row.calls,
            errors: row.errors,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
        }
    }
}

impl ProtocolSession {
    fn of(row: ProtocolRow, moment: &Moment) -> Self {
        let (time, said) = (row.time(), (row.disconnected_at, row.disconnect_reason, row.ended_by));
        let end = End::of_connection(&row.status, &time, said, moment);
        Self {
            protocol_session_id: row.protocol_session_id,
            protocol_version: row.protocol_version,
            client_name: row.client_name,
            client_version: row.client_version,
            status: end.status,
            bound_by: row.bound_by,
            connected_at: row.connected_at,
            last_activity: row.last_activity,
            expires_at: end.expires_at,
            disconnected_at: end.at,
            disconnect_reason: end.reason,
            ended_by: end.by,
        }
    }
}

impl Queries {
    /// The story of a session, with at most that many of its last requests; `None` when it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn story(&self, found: &Found, requests: Option<usize>) -> Result<Option<Story>, StoreError> {
        let moment = self.moment().await?;
        let row = match (found.connection(), found.session_id) {
            (Some(id), _) => self.store.connection_row(id).await?,
            (None, Some(id)) => self.store.archon_row(id).await?,
            (None, None) => None,
        };
        let Some(row) = row else { return Ok(None) };
        let client_capabilities = row.client_capabilities.clone().and_then(|json| RawValue::from_string(json).ok());
        let session = Session::of(row, &moment);
        let (archon_sessions, protocol_sessions) = self.parts(&session, &moment).await?;
        // Not of the Archon session alone that may have been named.
        let own = match found.connection() {
            Some(id) => Found { session_id: None, connections: vec![id.to_owned()] },
            None => found.clone(),
        };
        let of_it = RequestQuery { session: Some(own.clone()), ..RequestQuery::default() };
        let requests = self.requests(&of_it, requests).await?;
        let of_it = EventQuery { session: Some(own), ..EventQuery::default() };
        let events = self.events(&of_it, Some(EVENTS)).await?;
        let note = events.iter().rev().filter(|_| session.state == State::Ended).find(|e| e.kind.is(EventKind::Expire));
        let kept: i64 = archon_sessions.iter().map(|archon| archon.calls).sum();
        // The first event of a connection goes when what is that old goes.
        let old = session.protocol_session_id.is_some() && !events.iter().any(|e| e.kind.is(EventKind::Initialised));
        Ok(Some(Story {
            older_removed: old && kept < session.calls,
            client_capabilities,
            end_note: note.and_then(|e| e.reason.clone()),
            archon_sessions,
            protocol_sessions,
            requests,
            events,
            session,
        }))
    }

    /// The Archon sessions of a connection, and the connections that share its Archon session.
    async fn parts(
        &self,
        session: &Session,
        moment: &Moment,
    ) -> Result<(Vec<ArchonSession>, Vec<ProtocolSession>), StoreError> {
        let (Some(id), Ok(archon)) = (&session.protocol_session_id, Uuid::parse_str(&session.session_id)) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let archon_sessions = self.store.archon_sessions_of(id).await?;
        let protocol_sessions = self.store.protocol_sessions_of(archon).await?;
        Ok((
            archon_sessions.into_iter().map(|row| ArchonSession::of(row, id, moment)).collect(),
            protocol_sessions.into_iter().map(|row| ProtocolSession::of(row, moment)).collect(),
        ))
    }
}
