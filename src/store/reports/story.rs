//! What belongs to a session: the Archon sessions of a connection, the connections of an Archon session.

use uuid::Uuid;

use super::alive::Time;
use crate::model::event::Actor;
use crate::model::session::{EndReason, SessionRule, SessionStatus};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{DbUuid, report};
use crate::store::{Store, StoreError};

/// A protocol session as it is shown.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ProtocolRow {
    /// Its id.
    pub protocol_session_id: String,
    /// The revision agreed on.
    pub protocol_version: String,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// As it is stored.
    pub status: Word<SessionStatus>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// When a stream of it was last known to be open.
    pub stream_at: Option<Timestamp>,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The last outage that this includes.
    pub credited: Option<i64>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it.
    pub ended_by: Option<Word<Actor>>,
    /// The rule that first gave one of its calls this Archon session.
    pub bound_by: Option<Word<SessionRule>>,
}

/// An Archon session of a connection.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ArchonRow {
    /// Its id.
    pub session_id: String,
    /// The connection that opened it.
    pub opened_by: Option<String>,
    /// As it is stored.
    pub status: Word<SessionStatus>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The last outage that this includes.
    pub credited: Option<i64>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it.
    pub ended_by: Option<Word<Actor>>,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

impl ProtocolRow {
    /// What it says of its time.
    pub fn time(&self) -> Time {
        Time {
            began: self.connected_at,
            last_activity: self.last_activity,
            stream_at: self.stream_at,
            expires_at: self.expires_at,
            credited: self.credited,
        }
    }
}

impl ArchonRow {
    /// What it says of its time.
    pub fn time(&self) -> Time {
        Time {
            began: self.connected_at,
            last_activity: self.last_activity,
            stream_at: None,
            expires_at: self.expires_at,
            credited: self.credited,
        }
    }
}

const PROTOCOL: &str = "SELECT protocol_session_id, protocol_version, client_name, client_version, status, connected_at, \
     last_activity, stream_at, expires_at, credited, disconnected_at, disconnect_reason, ended_by, \
     (SELECT r.session_rule FROM archon_mcp_requests r WHERE r.session_id = p.session_id \
      AND r.protocol_session_id = p.protocol_session_id AND r.session_rule IS NOT NULL ORDER BY r.id LIMIT 1) AS bound_by \
     FROM archon_mcp_protocol_sessions p WHERE p.session_id = $1 ORDER BY connected_at, protocol_session_id";

/// A row that is both is told once.
const ARCHON: &str = "SELECT CAST(session_id AS TEXT) AS session_id, protocol_session_id AS opened_by, status, connected_at, \
     last_activity, expires_at, credited, disconnected_at, disconnect_reason, ended_by, calls, errors, prompt_tokens, \
     completion_tokens FROM archon_mcp_sessions WHERE session_id IN ( \
         SELECT s.session_id FROM archon_mcp_sessions s WHERE s.protocol_session_id = $1 \
         UNION ALL SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $1) \
     ORDER BY connected_at, session_id";

/// Live ones first; of those the one that opened it, then the one that was used last.
const CONNECTIONS: &str = "SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p \
     WHERE p.protocol_session_id IN ( \
         SELECT b.protocol_session_id FROM archon_mcp_protocol_sessions b WHERE b.session_id = $1 \
         UNION ALL SELECT s.protocol_session_id FROM archon_mcp_sessions s WHERE s.session_id = $1) \
     ORDER BY CASE WHEN p.status = 'active' THEN 0 ELSE 1 END, CASE WHEN p.protocol_session_id = \
         (SELECT o.protocol_session_id FROM archon_mcp_sessions o WHERE o.session_id = $1) THEN 0 ELSE 1 END, \
         p.last_activity DESC, p.protocol_session_id";

impl Store {
    /// The protocol sessions that are bound to an Archon session, or have its id reserved; the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn protocol_sessions_of(&self, id: Uuid) -> Result<Vec<ProtocolRow>, StoreError> {
        report!(self, db => sqlx::query_as(self.report_text(PROTOCOL)).bind(DbUuid(id)).fetch_all(db).await)
    }

    /// The Archon sessions that a connection has opened, and the one that it is bound to; the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn archon_sessions_of(&self, connection: &str) -> Result<Vec<ArchonRow>, StoreError> {
        report!(self, db => sqlx::query_as(self.report_text(ARCHON)).bind(connection).fetch_all(db).await)
    }

    /// The connections that an Archon session's id stands for: bound to it, having it reserved, or the one that opened it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connections_of(&self, id: Uuid) -> Result<Vec<String>, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text(CONNECTIONS)).bind(DbUuid(id)).fetch_all(db).await)
    }
}
