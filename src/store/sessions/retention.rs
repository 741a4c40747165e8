//! What is old is removed, a chunk at a time: request rows, events, ended sessions, and sums but those by day.

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
    /// Sums by minute and hour.
    pub sums: u64,
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
        self.sums += more.sums;
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
         SELECT id FROM archon_mcp_requests WHERE id > $3 ORDER BY id LIMIT $2) \
     AND (r.timestamp < $1 OR r.timestamp IS NULL) AND NOT EXISTS ( \
         SELECT 1 FROM archon_mcp_boots b WHERE b.number = r.boot AND b.folded_seq < r.seq)";

const EVENTS: &str = "SELECT e.id FROM archon_mcp_session_events e WHERE e.id IN ( \
         SELECT id FROM archon_mcp_session_events WHERE id > $3 ORDER BY id LIMIT $2) AND e.at < $1";

/// The last of the rows that one chunk looks at.
const LAST_LOOKED_AT: [&str; 2] = [
    "SELECT MAX(id) FROM (SELECT id FROM archon_mcp_requests WHERE id > $1 ORDER BY id LIMIT $2) r",
    "SELECT MAX(id) FROM (SELECT id FROM archon_mcp_session_events WHERE id > $1 ORDER BY id LIMIT $2) e",
];

/// A session goes when its last row has gone.
const SESSIONS: &str = "SELECT s.session_id FROM archon_mcp_sessions s \
     WHERE s.status <> 'active' AND s.disconnected_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_requests r WHERE r.session_id = s.session_id) \
     ORDER BY s.disconnected_at";

const PROTOCOL_SESSIONS: &str = "SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p \
     WHERE p.status <> 'active' AND p.disconnected_at < $1 ORDER BY p.disconnected_at";

/// What is removed in the order of its numbers.
static NUMBERED: [Text; 2] = [
    Text::new(|dialect| removal(dialect, "archon_mcp_requests", "id", REQUESTS)),
    Text::new(|dialect| removal(dialect, "archon_mcp_session_events", "id", EVENTS)),
];

/// Sessions, which go after the rows that refer to them.
static ENDED: [Text; 2] = [
    Text::new(|dialect| removal(dialect, "archon_mcp_sessions", "session_id", SESSIONS)),
    Text::new(|dialect| removal(dialect, "archon_mcp_protocol_sessions", "protocol_session_id", PROTOCOL_SESSIONS)),
];

/// Whole minutes and hours: of the last one all rows, however many the chunk should have.
const SUMS: [&str; 2] = [
    "DELETE FROM archon_mcp_rollups WHERE minute <= (SELECT MAX(minute) FROM ( \
         SELECT minute FROM archon_mcp_rollups WHERE minute < $1 ORDER BY minute LIMIT $2) r)",
    "DELETE FROM archon_mcp_rollups_hourly WHERE hour <= (SELECT MAX(hour) FROM ( \
         SELECT hour FROM archon_mcp_rollups_hourly WHERE hour < $1 ORDER BY hour LIMIT $2) r)",
];

const CAPTURES: &str = "DELETE FROM archon_mcp_captures WHERE (boot, seq) IN ( \
     SELECT c.boot, c.seq FROM archon_mcp_captures c WHERE c.at < $1 ORDER BY c.at LIMIT $2)";

/// When the oldest of what may be removed is from, by the indexes that find it at once.
const OLDEST: &str = "SELECT MIN(at) FROM ( \
         SELECT (SELECT timestamp FROM archon_mcp_requests ORDER BY id LIMIT 1) AS at \
         UNION ALL SELECT (SELECT at FROM archon_mcp_session_events ORDER BY id LIMIT 1) \
         UNION ALL SELECT MIN(disconnected_at) FROM archon_mcp_sessions WHERE status <> 'active' \
         UNION ALL SELECT MIN(disconnected_at) FROM archon_mcp_protocol_sessions WHERE status <> 'active') AS oldest";

/// The oldest of the sums that may be removed.
const OLDEST_SUM: &str = "SELECT MIN(at) FROM (SELECT MIN(minute) AS at FROM archon_mcp_rollups \
     UNION ALL SELECT MIN(hour) FROM archon_mcp_rollups_hourly) AS oldest";

/// About how many rows have numbers: none is missing between the first and the last but those that went before.
const HOW_MANY: &str = "SELECT COALESCE((SELECT MAX(id) FROM archon_mcp_requests) - \
     (SELECT MIN(id) FROM archon_mcp_requests), 0) + COALESCE((SELECT MAX(id) FROM archon_mcp_session_events) - \
     (SELECT MIN(id) FROM archon_mcp_session_events), 0)";

/// How far a sweep has come: the number of the last row that it looked at, in each table that has numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    requests: i64,
    events: i64,
}

impl Default for Swept {
    /// Before the first row.
    fn default() -> Self {
        Self { requests: i64::MIN, events: i64::MIN }
    }
}

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

    /// Removes one chunk of what is older than `before`, atomically: of the first `limit` rows of each table those that may
    /// go. Call again until it removes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        let (dialect, start) = (self.dialect(), i64::MIN);
        transact!(self, tx => async {
            let mut removed = [0; 4];
            let texts = NUMBERED.iter().zip([true; 2]).chain(ENDED.iter().zip([false; 2]));
            for (count, (removal, is_numbered)) in removed.iter_mut().zip(texts) {
                let removal = sqlx::query(removal.sql(dialect)).bind(before).bind(limit);
                let removal = if is_numbered { removal.bind(start) } else { removal };
                *count = removal.execute(&mut *tx).await?.rows_affected();
            }
            let [requests, events, archon, protocol] = removed;
            Ok::<_, StoreError>(Pruned { requests, events, sessions: archon + protocol, ..Pruned::default() })
        }.await)
    }

    /// Goes on with a sweep: removes what may go of the next `limit` rows of each table with numbers, whatever stands before
    /// them. `None` when it has come to the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_further(
        &self,
        before: Timestamp,
        swept: Swept,
        limit: i64,
    ) -> Result<(Pruned, Option<Swept>), StoreError> {
        let (dialect, from) = (self.dialect(), [swept.requests, swept.events]);
        transact!(self, tx => async {
            let (mut removed, mut to) = ([0; 2], [None; 2]);
            for n in 0..2 {
                to[n] = sqlx::query_scalar::<_, Option<i64>>(LAST_LOOKED_AT[n])
                    .bind(from[n]).bind(limit).fetch_one(&mut *tx).await?;
                let removal = sqlx::query(NUMBERED[n].sql(dialect)).bind(before).bind(limit).bind(from[n]);
                removed[n] = removal.execute(&mut *tx).await?.rows_affected();
            }
            let [requests, events] = removed;
            let pruned = Pruned { requests, events, ..Pruned::default() };
            let is_over = to.iter().all(Option::is_none);
            let [requests, events] = [0, 1].map(|n| to[n].unwrap_or(from[n]));
            Ok::<_, StoreError>((pruned, (!is_over).then_some(Swept { requests, events })))
        }.await)
    }

    /// About how many rows a whole sweep looks at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rows_to_sweep(&self) -> Result<u64, StoreError> {
        let rows: i64 = read!(self, db => sqlx::query_scalar(HOW_MANY).fetch_one(db).await)?;
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// The oldest of the sums by minute and hour; `None` where there are none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest_sum(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, db => sqlx::query_scalar(OLDEST_SUM).fetch_one(db).await)
    }

    /// Removes one chunk of the sums by minute and hour from before that moment: about `limit` rows of each. Those by day
    /// stay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_sums(&self, before: Timestamp, limit: i64) -> Result<Pruned, StoreError> {
        let sums = transact!(self, tx => async {
            let mut removed = 0;
            for removal in SUMS {
                removed += sqlx::query(removal).bind(before).bind(limit).execute(&mut *tx).await?.rows_affected();
            }
            Ok::<_, StoreError>(removed)
        }.await)?;
        Ok(Pruned { sums, ..Pruned::default() })
    }
}
