//! A session's whole story.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Queries;
use super::events::{Event, EventQuery};
use super::find::Found;
use super::requests::{Request, RequestQuery};
use super::sessions::{End, Session, Status};
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::alive::Moment;
use crate::store::reports::sessions::ProtocolRow;

/// So many events of a session are told.
const EVENTS: usize = 200;

/// A session with all that belongs to it:
/// `{"session": {…}, "client_capabilities": {…}, "end_note": null, "protocol_sessions": […], "requests": […], "events": […]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Story {
    /// The session, as lists show it.
    pub session: Session,
    /// What the client said that it can do.
    pub client_capabilities: Option<Box<RawValue>>,
    /// Why an operator ended it, in his words.
    pub end_note: Option<String>,
    /// Its protocol sessions, the oldest first.
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
    pub status: Status,
    /// How it was bound to the Archon session: `new` (it made it), `client` (its client named it), `bound` (it found it
    /// bound); none while it has called no tool.
    pub bound_by: Option<String>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid unless used; once it has ended: until when it was.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<String>,
    /// Who ended it.
    pub ended_by: Option<String>,
}

impl ProtocolSession {
    fn of(row: ProtocolRow, moment: &Moment) -> Self {
        let time = (row.expires_at, row.boot, row.connected_at);
        let end = End::of(&row.status, time, (row.disconnected_at, row.disconnect_reason, row.ended_by), moment);
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
    /// The story of a session, with its last so many requests; `None` when it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn story(&self, found: &Found, requests: Option<usize>) -> Result<Option<Story>, StoreError> {
        let id = found.session_id;
        let moment = self.moment().await?;
        let Some(row) = self.store.session_row(id).await? else { return Ok(None) };
        let client_capabilities = row.client_capabilities.clone().and_then(|json| RawValue::from_string(json).ok());
        let protocol = self.store.protocol_sessions_of(id).await?;
        let query = RequestQuery { session: Some(found.clone()), ..RequestQuery::default() };
        let requests = self.requests(&query, requests).await?;
        let events = self.events(&EventQuery { session: Some(id), ..EventQuery::default() }, Some(EVENTS)).await?;
        let end_note = events.iter().rev().find(|e| e.kind == "expire").and_then(|e| e.reason.clone());
        Ok(Some(Story {
            session: Session::of(row, &moment),
            client_capabilities,
            end_note,
            protocol_sessions: protocol.into_iter().map(|row| ProtocolSession::of(row, &moment)).collect(),
            requests,
            events,
        }))
    }
}
