//! Events in the lives of sessions, by filters.

use uuid::Uuid;

use super::requests::Part;
use super::{all_of, report};
use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::codec::DbUuid;
use crate::store::{Store, StoreError, Tables};

/// One change in a session's life.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EventRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// `initialised`, `created`, `ended`, …
    pub kind: String,
    /// The Archon session it concerns.
    pub session_id: Option<String>,
    /// The protocol session it concerns.
    pub protocol_session_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub actor: Option<String>,
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of that Archon session, or of whoever has its id reserved.
    pub session: Option<Uuid>,
    /// Of that kind.
    pub kind: Option<String>,
    /// Since.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Events that pass a filter, the oldest first; an original Archon's tables have none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, filter: &EventFilter, part: Part) -> Result<Vec<EventRow>, StoreError> {
        if self.tables() == Tables::Original {
            return Ok(Vec::new());
        }
        let conditions = all_of(&[
            (
                filter.session.is_some(),
                // Not as an OR of the two, for which PostgreSQL would read every event.
                "id IN (SELECT e.id FROM archon_mcp_session_events e WHERE e.session_id = $1 \
                 UNION ALL SELECT e.id FROM archon_mcp_session_events e JOIN archon_mcp_protocol_sessions p \
                 ON p.protocol_session_id = e.protocol_session_id WHERE p.session_id = $1)",
            ),
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
        let mut rows: Vec<EventRow> = report(async {
            read!(self, db => sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(filter.session.map(DbUuid)).bind(filter.kind.as_deref()).bind(filter.since).bind(limit).bind(after)
                .fetch_all(db).await)
        })
        .await?;
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
        report(async {
            read!(self, db => sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM archon_mcp_session_events")
                .fetch_one(db).await)
        })
        .await
    }
}
