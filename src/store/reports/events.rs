//! Events in the lives of sessions, by filters.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::all_of;
use super::requests::Part;
use crate::model::event::{Actor, EventKind};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{DbUuid, report};
use crate::store::{Store, StoreError};

/// One change in a session's life:
///
/// ```json
/// {"id": 3, "at": "2026-01-10T12:00:00.000Z", "kind": "ended", "session_id": "…", "protocol_session_id": null,
///  "reason": "timeout", "actor": "server"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: Word<EventKind>,
    /// The Archon session it concerns.
    pub session_id: Option<String>,
    /// The protocol session it concerns.
    pub protocol_session_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub actor: Option<Word<Actor>>,
}

/// Whose events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerns {
    /// An Archon session's, and those of the connections that are bound to it or have its id reserved.
    Archon(Uuid),
    /// A connection's, and those of its Archon sessions.
    Connection(String),
}

/// Not as an OR of the two, for which PostgreSQL would read every event.
const OF_ARCHON: &str = "id IN (SELECT e.id FROM archon_mcp_session_events e WHERE e.session_id = $1 \
     UNION ALL SELECT e.id FROM archon_mcp_session_events e JOIN archon_mcp_protocol_sessions p \
     ON p.protocol_session_id = e.protocol_session_id WHERE p.session_id = $1)";

/// Others may share its Archon sessions: their events are not its own. COALESCE, because SQLite would look for all events
/// that have no connection.
const OF_CONNECTION: &str = "id IN (SELECT e.id FROM archon_mcp_session_events e WHERE e.protocol_session_id = $6 \
     UNION ALL SELECT e.id FROM archon_mcp_session_events e WHERE COALESCE(e.protocol_session_id, '') = '' \
     AND e.session_id IN (SELECT s.session_id FROM archon_mcp_sessions s WHERE s.protocol_session_id = $6 \
     UNION ALL SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $6))";

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Whose.
    pub session: Option<Concerns>,
    /// Of that kind.
    pub kind: Option<Word<EventKind>>,
    /// Since.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Events that pass a filter, the oldest first; an original Archon's tables have none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, filter: &EventFilter, part: Part) -> Result<Vec<Event>, StoreError> {
        let (archon, connection) = match &filter.session {
            Some(Concerns::Archon(id)) => (Some(DbUuid(*id)), None),
            Some(Concerns::Connection(id)) => (None, Some(id.as_str())),
            None => (None, None),
        };
        let conditions = all_of(&[
            (archon.is_some(), OF_ARCHON),
            (connection.is_some(), OF_CONNECTION),
            (filter.kind.is_some(), "kind = $2"),
            (filter.since.is_some(), "at >= $3"),
            (matches!(part, Part::After(..)), "id > $5"),
        ]);
        let (direction, limit, after) = match part {
            Part::Last(limit) => ("DESC", limit, 0),
            Part::After(number, limit) => ("ASC", limit, number),
        };
        let sql = format!(
            "SELECT id, at, kind, CAST(session_id AS TEXT) AS session_id, protocol_session_id, reason, actor \
             FROM archon_mcp_session_events WHERE {conditions} ORDER BY id {direction} LIMIT $4"
        );
        let mut rows: Vec<Event> = report!(self, db => sqlx::query_as(self.report_text(sql))
            .bind(archon).bind(filter.kind.as_ref().map(Word::as_str)).bind(filter.since).bind(limit).bind(after).bind(connection)
            .fetch_all(db).await)?;
        if direction == "DESC" {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The number of the last event; zero when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text("SELECT COALESCE(MAX(id), 0) FROM archon_mcp_session_events"))
            .fetch_one(db).await)
    }
}
