//! How sessions end: one way, in one statement with `WHERE status = 'active'`. The triggers of the schema do the rest
//! (duration, event, what is bound to what ends), so an end typed by hand counts like these.

use serde_json::json;
use uuid::Uuid;

use super::backend::transact;
use super::codec::DbUuid;
use super::order::lock_in_order;
use super::statements::Dialect;
use super::{Store, StoreError};
use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;

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

/// An end for time holds only if nobody has moved the end of its time since it was read.
const UNMOVED: &str = "(expires_at IS NULL OR expires_at <= $6)";

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
        self.end_one(END_PROTOCOL, (None, Some(id)), ending, Unless::Moved(read)).await
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
        self.end_one(END_ARCHON, (Some(id), None), ending, Unless::Moved(read)).await
    }

    async fn end_one(
        &self,
        statement: &str,
        (archon, protocol): (Option<Uuid>, Option<&str>),
        ending: Ending<'_>,
        unless: Unless,
    ) -> Result<bool, StoreError> {
        let dialect = self.dialect();
        let sql = match unless {
            Unless::Moved(_) => format!("{statement} AND {UNMOVED}"),
            Unless::Ended => statement.to_owned(),
        };
        let (archons, protocols) = (
            json!(archon.iter().collect::<Vec<_>>()).to_string(),
            json!(protocol.iter().collect::<Vec<_>>()).to_string(),
        );
        transact!(self, tx => async {
            lock_in_order!(dialect, tx, &archons, &protocols);
            let query = sqlx::query(sqlx::AssertSqlSafe(&*sql))
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

    /// PostgreSQL's servers share the work instead of waiting for each other, and a row that somebody writes just now is
    /// in use; SQLite has one writer anyway.
    pub(super) fn skip_locked(&self) -> &'static str {
        match self.dialect() {
            // Not FOR UPDATE: the rows of requests refer to these rows, and would wait.
            Dialect::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        }
    }
}
