//! What is old is removed, a chunk at a time: request rows, events, ended sessions. The sums by minute stay.

use crate::model::timestamp::Timestamp;
use crate::store::backend::{Dialect, Text, read, transact};
use crate::store::{Store, StoreError};

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

/// The removal of a chunk of a table's rows. On PostgreSQL they are picked first, once, and without those that somebody else
/// holds: what is old can wait, and a removal that waits for nobody is never part of a deadlock.
fn removal(dialect: Dialect, table: &str, id: &str, picks: &str) -> String {
    let lock = if dialect == Dialect::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    format!(
        "WITH picked AS MATERIALIZED ({picks} LIMIT $2 {lock}) DELETE FROM {table} WHERE {id} IN (SELECT {id} FROM picked)"
    )
}

/// Rows are appended in the order of time, so the oldest are the first: no index by time is needed. A row that is not yet
/// in the sums stays until it is.
const REQUESTS: &str = "SELECT r.id FROM archon_mcp_requests r WHERE r.id IN ( \
         SELECT id FROM archon_mcp_requests ORDER BY id LIMIT $2) \
     AND (r.timestamp < $1 OR r.timestamp IS NULL) AND NOT EXISTS ( \
         SELECT 1 FROM archon_mcp_boots b WHERE b.number = r.boot AND b.folded_seq < r.seq)";

const EVENTS: &str = "SELECT e.id FROM archon_mcp_session_events e WHERE e.id IN ( \
         SELECT id FROM archon_mcp_session_events ORDER BY id LIMIT $2) AND e.at < $1";

/// A session goes when its last row has gone.
const SESSIONS: &str = "SELECT s.session_id FROM archon_mcp_sessions s \
     WHERE s.status <> 'active' AND s.disconnected_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_requests r WHERE r.session_id = s.session_id) \
     ORDER BY s.disconnected_at";

const PROTOCOL_SESSIONS: &str = "SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p \
     WHERE p.status <> 'active' AND p.disconnected_at < $1 ORDER BY p.disconnected_at";

/// What is removed, rows before the sessions that they refer to.
static REMOVALS: [Text; 4] = [
    Text::new(|dialect| removal(dialect, "archon_mcp_requests", "id", REQUESTS)),
    Text::new(|dialect| removal(dialect, "archon_mcp_session_events", "id", EVENTS)),
    Text::new(|dialect| removal(dialect, "archon_mcp_sessions", "session_id", SESSIONS)),
    Text::new(|dialect| removal(dialect, "archon_mcp_protocol_sessions", "protocol_session_id", PROTOCOL_SESSIONS)),
];

const CAPTURES: &str = "DELETE FROM archon_mcp_captures WHERE (boot, seq) IN ( \
     SELECT c.boot, c.seq FROM archon_mcp_captures c WHERE c.at < $1 ORDER BY c.at LIMIT $2)";

/// When the oldest of what may be removed is from, by the indexes that find it at once.
const OLDEST: &str = "SELECT MIN(at) FROM ( \
         SELECT (SELECT timestamp FROM archon_mcp_requests ORDER BY id LIMIT 1) AS at \
         UNION ALL SELECT (SELECT at FROM archon_mcp_session_events ORDER BY id LIMIT 1) \
         UNION ALL SELECT MIN(disconnected_at) FROM archon_mcp_sessions WHERE status <> 'active' \
         UNION ALL SELECT MIN(disconnected_at) FROM archon_mcp_protocol_sessions WHERE status <> 'active') AS oldest";

impl Store {
    /// When the oldest row is from that retention may remove; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, db => sqlx::query_scalar(OLDEST).fetch_one(db).await)
    }

    /// Removes one chunk of the words of calls from before that moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_captures(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        let captures = transact!(self, tx => async {
            let done = sqlx::query(CAPTURES).bind(before).bind(limit).execute(&mut *tx).await?;
            Ok::<_, StoreError>(done.rows_affected())
        }.await)?;
        Ok(Pruned { captures, ..Pruned::default() })
    }

    /// Removes outages that ended before that moment: no session that lives has them coming.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_outages(&self, before: Timestamp) -> Result<(), StoreError> {
        transact!(self, tx => async {
            sqlx::query("DELETE FROM archon_mcp_outages WHERE ended_at < $1").bind(before).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }

    /// Removes one chunk of what is older than `before`, atomically: at most `limit` rows of each table. Call again until
    /// it removes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            let mut removed = [0; 4];
            for (count, removal) in removed.iter_mut().zip(&REMOVALS) {
                let done = sqlx::query(removal.sql(dialect)).bind(before).bind(limit).execute(&mut *tx).await?;
                *count = done.rows_affected();
            }
            let [requests, events, archon, protocol] = removed;
            Ok::<_, StoreError>(Pruned { requests, events, sessions: archon + protocol, captures: 0 })
        }.await)
    }
}
