//! How sessions end: one way, in one statement with `WHERE status = 'active'`. The triggers of the schema do the rest
//! (duration, event, what is bound to what ends), so an end typed by hand counts like these.

use std::sync::LazyLock;

use serde_json::json;
use uuid::Uuid;

use super::reaping::Reaped;
use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::store::backend::order::lock_in_order;
use crate::store::backend::{DbUuid, RowStatement, json as rows_of, transact};
use crate::store::commit::EVENT;
use crate::store::{Store, StoreError};

/// An end to be written.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// Why.
    pub reason: EndReason,
    /// Who: `client`, `server`, or an operator's name.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

const END_PROTOCOL: &str = "UPDATE archon_mcp_protocol_sessions SET status = $1, disconnected_at = $2, \
     disconnect_reason = $3, ended_by = $4 WHERE protocol_session_id = $5 AND status = 'active'";

const END_ARCHON: &str = "UPDATE archon_mcp_sessions SET status = $1, disconnected_at = $2, disconnect_reason = $3, \
     ended_by = $4 WHERE session_id = $5 AND status = 'active'";

/// Archon sessions that are ended together.
static END_ARCHONS: RowStatement = RowStatement::new(
    "archon_mcp_sessions",
    &["session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    "UPDATE {table} SET status = j.status, disconnected_at = j.disconnected_at, \
     disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
     WHERE {table}.session_id = j.session_id AND {+}{table}.status = 'active' RETURNING CAST({table}.session_id AS TEXT)",
);

/// Protocol sessions without an Archon session that are ended together.
static END_PROTOCOLS: RowStatement = RowStatement::new(
    "archon_mcp_protocol_sessions",
    &["protocol_session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    "UPDATE {table} SET status = j.status, disconnected_at = j.disconnected_at, \
     disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
     WHERE {table}.protocol_session_id = j.protocol_session_id AND {+}{table}.status = 'active' RETURNING {table}.protocol_session_id",
);

/// An end for time holds only if nobody has moved the end of its time since it was read.
const UNMOVED: &str = "(expires_at IS NULL OR expires_at <= $6)";

static END_PROTOCOL_UNMOVED: LazyLock<String> = LazyLock::new(|| format!("{END_PROTOCOL} AND {UNMOVED}"));
static END_ARCHON_UNMOVED: LazyLock<String> = LazyLock::new(|| format!("{END_ARCHON} AND {UNMOVED}"));

/// What keeps a session from being ended.
#[derive(Debug, Clone, Copy)]
enum Unless {
    /// That it has ended already.
    Ended,
    /// That, or that the end of its time was moved beyond this.
    Moved(Option<Timestamp>),
}

impl Store {
    /// Ends a connection, and its Archon session unless another live connection is bound to it. `false` when it was not
    /// active any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_protocol_session(&self, id: &str, ending: Ending<'_>) -> Result<bool, StoreError> {
        self.end_one(END_PROTOCOL, (None, Some(id)), ending, Unless::Ended).await
    }

    /// Ends an Archon session for any reason but its time, and with it every connection bound to it; for its time
    /// ([`EndReason::Timeout`]) it alone. `false` when it was not active any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_archon_session(&self, id: Uuid, ending: Ending<'_>) -> Result<bool, StoreError> {
        self.end_one(END_ARCHON, (Some(id), None), ending, Unless::Ended).await
    }

    /// Ends a connection whose time was over, as its row was read; `false` when it has been used since, or ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_protocol_for_time(
        &self,
        id: &str,
        ending: Ending<'_>,
        read: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.end_one(&END_PROTOCOL_UNMOVED, (None, Some(id)), ending, Unless::Moved(read)).await
    }

    /// The same of an Archon session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_archon_for_time(
        &self,
        id: Uuid,
        ending: Ending<'_>,
        read: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.end_one(&END_ARCHON_UNMOVED, (Some(id), None), ending, Unless::Moved(read)).await
    }

    async fn end_one(
        &self,
        statement: &'static str,
        (archon, protocol): (Option<Uuid>, Option<&str>),
        ending: Ending<'_>,
        unless: Unless,
    ) -> Result<bool, StoreError> {
        let dialect = self.dialect();
        let (archons, protocols) = (
            json!(archon.iter().collect::<Vec<_>>()).to_string(),
            json!(protocol.iter().collect::<Vec<_>>()).to_string(),
        );
        transact!(self, tx => async {
            lock_in_order!(dialect, tx, &archons, &protocols);
            let query = sqlx::query(statement)
                .bind(ending.reason.status().as_str()).bind(ending.at).bind(ending.reason.as_str()).bind(ending.by);
            let query = match (archon, protocol) {
                (Some(id), _) => query.bind(DbUuid(id)),
                (None, id) => query.bind(id),
            };
            let query = match unless {
                Unless::Moved(since) => query.bind(since),
                Unless::Ended => query,
            };
            Ok::<_, StoreError>(query.execute(&mut *tx).await?.rows_affected() > 0)
        }.await)
    }

    /// Reserves the id of the next Archon session of a connection in place of one that is used up; `false` when somebody
    /// else has done so, or the connection has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reserve_next(&self, id: &str, used_up: Uuid, next: Uuid) -> Result<bool, StoreError> {
        transact!(self, tx => async {
            let done = sqlx::query("UPDATE archon_mcp_protocol_sessions SET session_id = $3, called = FALSE \
                                    WHERE protocol_session_id = $1 AND session_id = $2 AND status = 'active'")
                .bind(id).bind(DbUuid(used_up)).bind(DbUuid(next)).execute(&mut *tx).await?;
            Ok::<_, StoreError>(done.rows_affected() > 0)
        }.await)
    }

    /// Ends Archon sessions (their connections end with them), and connections. Those that have
    /// ended already stay as they are. With a `note` each end has one more event, which tells why in the operator's words.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_together(
        &self,
        archon: &[Uuid],
        protocol: &[String],
        ending: Ending<'_>,
        note: Option<&str>,
    ) -> Result<Reaped, StoreError> {
        let dialect = self.dialect();
        // Sorted, so that two who end sessions lock rows in the same order.
        let (mut archon, mut protocol) = (archon.to_vec(), protocol.to_vec());
        archon.sort_unstable();
        protocol.sort_unstable();
        let row = |key: &str, id: String| {
            json!({
                key: id, "status": ending.reason.status().as_str(), "disconnected_at": ending.at.sql_text(),
                "disconnect_reason": ending.reason.as_str(), "ended_by": ending.by,
            })
        };
        let (archon_ids, protocol_ids) = (archon.clone(), protocol.clone());
        let archon: Vec<_> = archon.iter().map(|id| row("session_id", id.to_string())).collect();
        let protocol: Vec<_> = protocol.into_iter().map(|id| row("protocol_session_id", id)).collect();
        let ids = json!(archon_ids).to_string();
        let protocol_ids = json!(protocol_ids).to_string();
        transact!(self, tx => async {
            lock_in_order!(dialect, tx, &ids, &protocol_ids);
            let mut ended = [Vec::new(), Vec::new()];
            let of = [(&END_ARCHONS, rows_of(&archon)), (&END_PROTOCOLS, rows_of(&protocol))];
            for (ended, (statement, rows)) in ended.iter_mut().zip(of) {
                if let Some(rows) = rows {
                    *ended = sqlx::query_scalar::<_, String>(statement.sql(dialect))
                        .bind(rows).fetch_all(&mut *tx).await?;
                }
            }
            let [archon, protocol] = ended;
            if let Some(note) = note {
                let event = |key: &str, id: &String| {
                    json!({"at": ending.at.sql_text(), "kind": "expire", key: id, "reason": note, "actor": ending.by})
                };
                let events: Vec<_> = archon.iter().map(|id| event("session_id", id))
                    .chain(protocol.iter().map(|id| event("protocol_session_id", id))).collect();
                if let Some(rows) = rows_of(&events) {
                    sqlx::query(EVENT.sql(dialect)).bind(rows).execute(&mut *tx).await?;
                }
            }
            let archon = archon.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
            Ok::<_, StoreError>(Reaped { archon, protocol })
        }.await)
    }

    /// Tells in an event why a protocol session was ended, in the operator's words.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_end(&self, protocol_session_id: &str, ending: Ending<'_>, note: &str) -> Result<(), StoreError> {
        transact!(self, tx => async {
            sqlx::query("INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor) \
                         SELECT $1, 'expire', p.session_id, p.protocol_session_id, $2, $3 \
                         FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $4")
                .bind(ending.at).bind(note).bind(ending.by).bind(protocol_session_id).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_begins_with_the_rows_that_are_given() {
        for statement in [&END_ARCHONS, &END_PROTOCOLS] {
            statement.assert_begins_with_its_rows();
        }
    }
}
