//! What the hot path writes: the rows of new sessions and of handled requests.
//!
//! The field names of the `Serialize` structs are column names: a batch travels to the database as one JSON array.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::model::request::{RequestStatus, Tokens};
use crate::model::session::{EndReason, SessionRule};
use crate::model::timestamp::Timestamp;

/// Who a client says it is; cleaned (see [`crate::model::text`]).
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClientFacts {
    /// The detected program, see [`crate::model::client_type`].
    pub client_type: Arc<str>,
    /// The name as given.
    pub client_name: Option<String>,
    /// The version as given.
    pub client_version: Option<String>,
    /// `capabilities` as given, on their way to the connection's row; they are kept nowhere else.
    pub client_capabilities: Option<Box<RawValue>>,
}

/// A row of `archon_mcp_protocol_sessions`.
#[derive(Debug, Clone, Serialize)]
pub struct NewProtocolSession {
    /// The id in `Mcp-Session-Id`.
    pub protocol_session_id: Arc<str>,
    /// The Archon session that it is bound to, or the id reserved for it.
    pub session_id: Uuid,
    /// Who owns it.
    pub principal: Arc<str>,
    /// The revision agreed on.
    pub protocol_version: &'static str,
    /// The client.
    #[serde(flatten)]
    pub client: ClientFacts,
    /// `clientInfo` as given.
    pub client_info: Option<Box<RawValue>>,
    /// When it began.
    #[serde(serialize_with = "sql")]
    pub connected_at: Timestamp,
    /// When it was last used.
    #[serde(serialize_with = "sql")]
    pub last_activity: Timestamp,
    /// Until when it is valid unless used.
    #[serde(serialize_with = "sql")]
    pub expires_at: Timestamp,
    /// The boot that writes it.
    pub boot: i64,
    /// The last outage that `expires_at` includes.
    pub credited: i64,
}

/// A row of `archon_mcp_sessions`, and the protocol session whose first tool call makes it.
#[derive(Debug, Clone, Serialize)]
pub struct NewSession {
    /// The Archon session's id.
    pub session_id: Uuid,
    /// The connection that opens it, and is bound to it.
    pub protocol_session_id: Arc<str>,
    /// Who owns it.
    pub principal: Arc<str>,
    /// The client.
    #[serde(flatten)]
    pub client: ClientFacts,
    /// When it began.
    #[serde(serialize_with = "sql")]
    pub connected_at: Timestamp,
    /// When it was last used.
    #[serde(serialize_with = "sql")]
    pub last_activity: Timestamp,
    /// Until when it is valid unless used.
    #[serde(serialize_with = "sql")]
    pub expires_at: Timestamp,
    /// The boot that writes it.
    pub boot: i64,
    /// The last outage that `expires_at` includes.
    pub credited: i64,
    /// From the token file.
    pub user_id: Option<Uuid>,
    /// From the token file.
    pub user_email: Option<Arc<str>>,
    /// From the token file.
    pub user_name: Option<Arc<str>>,
    /// What does not have a column: the client's name as given, for readers of the original's `metadata`.
    pub metadata: Option<Box<RawValue>>,
}

impl NewSession {
    /// The protocol session that made it is bound to it.
    pub(super) fn binding(&self) -> Binding {
        Binding { protocol_session_id: self.protocol_session_id.clone(), session_id: self.session_id }
    }
}

/// A row of `archon_mcp_requests`, before the writer numbers it.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The Archon session, once there is one.
    pub session_id: Option<Uuid>,
    /// The protocol session.
    pub protocol_session_id: Option<Arc<str>>,
    /// For the sums by client.
    pub client_type: Arc<str>,
    /// `tools/call`, `tools/list`, …
    pub method: Arc<str>,
    /// The tool called.
    pub tool_name: Option<Arc<str>>,
    /// When it arrived.
    pub timestamp: Timestamp,
    /// How long the tool (or method) alone took, in microseconds.
    pub duration_us: i64,
    /// How it went.
    pub status: RequestStatus,
    /// What went wrong; cleaned.
    pub error_message: Option<String>,
    /// Tokens, unless counting is off.
    pub tokens: Option<Tokens>,
    /// In US dollars, only from the operator's price table.
    pub estimated_cost: Option<f64>,
    /// Which rule gave it its Archon session; none where no tool was run.
    pub rule: Option<SessionRule>,
    /// It began before its session ended and finished after.
    pub late: bool,
    /// Its words, where they are kept.
    pub captured: Option<Box<Captured>>,
}

/// The words of a call, masked and cut: a row of `archon_mcp_captures`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its arguments, as JSON unless they were cut.
    pub arguments: String,
    /// What it answered, if it failed.
    pub answer: Option<String>,
}

/// An event that no trigger writes.
#[derive(Debug, Clone, Serialize)]
pub struct NewEvent {
    /// When.
    #[serde(serialize_with = "sql")]
    pub at: Timestamp,
    /// `reinitialised`, `recovered`, `refused`, …
    pub kind: &'static str,
    /// The Archon session it concerns.
    pub session_id: Option<Uuid>,
    /// The protocol session it concerns.
    pub protocol_session_id: Option<Arc<str>>,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub actor: Option<String>,
}

/// A protocol session and the Archon session that it is bound to from now on.
#[derive(Debug, Clone, Serialize)]
pub struct Binding {
    /// The protocol session.
    pub protocol_session_id: Arc<str>,
    /// The Archon session.
    pub session_id: Uuid,
}

/// The end of a session whose client was never told of it.
#[derive(Debug, Clone, Serialize)]
pub struct Withdrawal {
    protocol_session_id: Arc<str>,
    status: &'static str,
    #[serde(serialize_with = "sql")]
    disconnected_at: Timestamp,
    disconnect_reason: &'static str,
    ended_by: &'static str,
}

impl Withdrawal {
    /// Whose end it is.
    pub(super) fn id(&self) -> &Arc<str> {
        &self.protocol_session_id
    }

    /// It ends when it began.
    pub(super) fn of(row: &NewProtocolSession) -> Self {
        Self {
            protocol_session_id: row.protocol_session_id.clone(),
            status: EndReason::Error.status().as_str(),
            disconnected_at: row.connected_at,
            disconnect_reason: EndReason::Error.as_str(),
            ended_by: "server",
        }
    }
}

/// What waits for a commit.
#[derive(Debug)]
pub enum Write {
    /// `initialize`. If its waiter gives up before the commit, there is no such session.
    Open(Box<NewProtocolSession>),
    /// A session is taken back.
    Withdraw(Box<Withdrawal>),
    /// The first tool call.
    Create(Box<NewSession>),
    /// A protocol session takes up an Archon session that exists.
    Bind(Box<Binding>),
    /// A handled request.
    Request(Box<NewRequest>),
    /// An event.
    Event(Box<NewEvent>),
    /// Nothing: its waiter learns that all before it is committed.
    Barrier,
}

/// The words of a call under the number of its row.
#[derive(Debug, Serialize)]
pub(super) struct CaptureRow<'a> {
    boot: i64,
    seq: i64,
    #[serde(serialize_with = "sql")]
    at: Timestamp,
    arguments: &'a str,
    answer: Option<&'a str>,
}

impl<'a> CaptureRow<'a> {
    pub(super) fn new(at: Timestamp, words: &'a Captured, boot: i64, seq: i64) -> Self {
        Self { boot, seq, at, arguments: &words.arguments, answer: words.answer.as_deref() }
    }
}

/// A row under the number that its boot gave it: sent twice, it is stored once.
#[derive(Debug, Serialize)]
pub(super) struct Numbered<'a, T> {
    #[serde(flatten)]
    pub(super) row: &'a T,
    pub(super) boot: i64,
    pub(super) seq: i64,
}

/// Times travel in JSON as SQL texts: SQLite stores them as they are, PostgreSQL reads them in its session's UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
pub(super) fn sql<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.sql_text())
}
