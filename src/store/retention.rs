//! What is old is removed, a chunk at a time: request rows, events, ended sessions. The sums by minute stay.

use super::backend::transact;
use super::{Store, StoreError};
use crate::model::timestamp::Timestamp;

/// What one chunk removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Request rows.
    pub requests: u64,
    /// Events.
    pub events: u64,
    /// Ended sessions, of both kinds.
    pub sessions: u64,
    /// Words of calls.
    pub captures: u64,
}

impl Pruned {
    /// Adds a chunk; `false` when there was nothing to add, so that it was the last.
    pub fn grew_by(&mut self, chunk: Self) -> bool {
        self.add(chunk);
        !chunk.is_empty()
    }

    /// Whether nothing was old enough.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another chunk.
    fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.events += more.events;
        self.sessions += more.sessions;
        self.captures += more.captures;
    }
}

/// Rows are appended in the order of time, so the oldest are the first: no index by time is needed. A row that is not yet
/// in the sums stays until it is.
const REQUESTS: &str = "DELETE FROM archon_mcp_requests WHERE id IN ( \
     SELECT r.id FROM (SELECT id, timestamp, boot, seq FROM archon_mcp_requests ORDER BY id LIMIT $2) r \
     WHERE (r.timestamp < $1 OR r.timestamp IS NULL) AND NOT EXISTS ( \
         SELECT 1 FROM archon_mcp_boots b WHERE b.number = r.boot AND b.folded_seq < r.seq))";

const EVENTS: &str = "DELETE FROM archon_mcp_session_events WHERE id IN ( \
     SELECT e.id FROM (SELECT id, at FROM archon_mcp_session_events ORDER BY id LIMIT $2) e WHERE e.at < $1)";

/// A session goes when its last row has gone.
const SESSIONS: &str = "DELETE FROM archon_mcp_sessions WHERE session_id IN ( \
     SELECT s.session_id FROM archon_mcp_sessions s WHERE s.status <> 'active' AND s.disconnected_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_requests r WHERE r.session_id = s.session_id) \
     ORDER BY s.disconnected_at LIMIT $2)";

const PROTOCOL_SESSIONS: &str = "DELETE FROM archon_mcp_protocol_sessions WHERE protocol_session_id IN ( \
     SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p \
     WHERE p.status <> 'active' AND p.disconnected_at < $1 ORDER BY p.disconnected_at LIMIT $2)";

const CAPTURES: &str = "DELETE FROM archon_mcp_captures WHERE (boot, seq) IN ( \
     SELECT c.boot, c.seq FROM archon_mcp_captures c WHERE c.at < $1 ORDER BY c.at LIMIT $2)";

impl Store {
    /// Removes one chunk of the words of calls from before that moment.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was removed.
    pub async fn prune_captures(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        let captures = transact!(self, tx => async {
            let done = sqlx::query(CAPTURES).bind(before).bind(limit).execute(&mut *tx).await?;
            Ok::<_, StoreError>(done.rows_affected())
        }.await)?;
        Ok(Pruned { captures, ..Pruned::default() })
    }

    /// Removes one chunk of what is older than `before`, atomically: at most `limit` rows of each table. Call again until
    /// it removes nothing.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was removed.
    pub async fn prune(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        transact!(self, tx => async {
            let mut removed = [0; 4];
            // Rows before the sessions that they refer to.
            for (count, statement) in removed.iter_mut().zip([REQUESTS, EVENTS, SESSIONS, PROTOCOL_SESSIONS]) {
                *count = sqlx::query(statement).bind(before).bind(limit).execute(&mut *tx).await?.rows_affected();
            }
            let [requests, events, archon, protocol] = removed;
            Ok::<_, StoreError>(Pruned { requests, events, sessions: archon + protocol, captures: 0 })
        }.await)
    }
}
