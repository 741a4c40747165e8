//! Streams that clients hold open: when each was last seen open, and what that does to the end of its session's time.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::model::timestamp::Timestamp;
use crate::store::backend::order::FREE_CONNECTIONS;
use crate::store::backend::{Dialect, RowStatement, json, transact};
use crate::store::rows::sql;
use crate::store::{Store, StoreError};

/// A client held a stream open.
#[derive(Debug, Clone, Serialize)]
pub struct StreamTouch {
    /// The session.
    pub protocol_session_id: Arc<str>,
    /// When that was.
    #[serde(serialize_with = "sql")]
    pub stream_at: Timestamp,
    /// Until when the session is valid.
    #[serde(serialize_with = "sql")]
    pub expires_at: Timestamp,
    /// The last outage that `expires_at` includes.
    pub credited: i64,
}

/// It moves forward only. After an outage that a row knows of and we do not, or the other way round, the end of its time
/// stays: the next touch moves it.
static TOUCH: RowStatement = RowStatement::new(
    "archon_mcp_protocol_sessions",
    &["protocol_session_id", "stream_at", "expires_at", "credited"],
    "UPDATE archon_mcp_protocol_sessions AS t SET stream_at = j.stream_at, \
     expires_at = CASE WHEN t.credited = j.credited AND t.expires_at < j.expires_at THEN j.expires_at \
         ELSE t.expires_at END \
     FROM {joined rows} \
     WHERE t.protocol_session_id = j.protocol_session_id AND {+}t.status = 'active' \
         AND (t.stream_at IS NULL OR t.stream_at < j.stream_at)",
);

impl Store {
    /// Writes that these streams were open. Rows that somebody holds are passed by: a stream is touched again soon.
    ///
    /// # Errors
    /// [`StoreError`]; then it is unknown whether they were written, and nothing is lost by writing them again.
    pub async fn touch_streams(&self, touches: &[StreamTouch]) -> Result<(), StoreError> {
        let dialect = self.dialect();
        let ids: Vec<_> = touches.iter().map(|touch| &touch.protocol_session_id).collect();
        let Some(ids) = json(&ids) else { return Ok(()) };
        transact!(self, tx => async {
            let rows = if dialect == Dialect::Postgres {
                let free: Vec<String> =
                    sqlx::query_scalar(FREE_CONNECTIONS.as_str()).bind("[]").bind(&ids).fetch_all(&mut *tx).await?;
                let free: HashSet<_> = free.iter().map(String::as_str).collect();
                json(&touches.iter().filter(|touch| free.contains(&*touch.protocol_session_id)).collect::<Vec<_>>())
            } else {
                json(touches)
            };
            if let Some(rows) = rows {
                sqlx::query(TOUCH.sql(dialect)).bind(rows).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(())
        }.await)
    }
}
