//! How sessions end: one way, in one statement with `WHERE status = 'active'`. The triggers of the schema do the rest
//! (duration, event, what is bound to what ends), so an end typed by hand counts like these.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::backend::transact;
use super::codec::DbUuid;
use super::credits::LATEST;
use super::order::{self, lock_in_order};
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

/// What the reaper goes by.
#[derive(Debug, Clone, Copy)]
pub struct ReapRule {
    /// Now.
    pub now: Timestamp,
    /// For Archon sessions typed without an `expires_at`.
    pub timeout: Duration,
    /// A connection used within this time is not over, whatever its row says: it may be another program's.
    pub protocol_timeout: Duration,
    /// Sessions that began before this moment are too old.
    pub too_old: Option<Timestamp>,
    /// The greatest number of each kind.
    pub limit: i64,
}

/// What one chunk ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Archon sessions.
    pub archon: Vec<Uuid>,
    /// Connections.
    pub protocol: Vec<String>,
}

/// Whose connections give way to new ones.
#[derive(Debug, Clone, Copy)]
pub struct EvictRule<'a> {
    /// Now.
    pub now: Timestamp,
    /// Only connections that have been idle for longer than this.
    pub idle: Duration,
    /// Only this principal's; `None`: anybody's.
    pub principal: Option<&'a str>,
    /// The greatest number that end.
    pub limit: i64,
}

/// Connections that are to end, by a condition over `$1` now, `$2` a moment long ago, `$3` a moment since which they were not
/// used, `$5` a principal.
struct Chosen<'a> {
    condition: String,
    order: &'static str,
    set: &'static str,
    now: Timestamp,
    long_ago: Timestamp,
    since: Timestamp,
    principal: Option<&'a str>,
    limit: i64,
}

/// A connection with a stream open is spared, unless its last use is this long ago.
const STREAM_SPARES: Duration = Duration::from_hours(24);

const END_PROTOCOL: &str = "UPDATE archon_mcp_protocol_sessions SET status = $1, disconnected_at = $2, \
     disconnect_reason = $3, ended_by = $4 WHERE protocol_session_id = $5 AND status = 'active'";

const END_ARCHON: &str = "UPDATE archon_mcp_sessions SET status = $1, disconnected_at = $2, disconnect_reason = $3, \
     ended_by = $4 WHERE session_id = $5 AND status = 'active'";

/// An end for time holds only if nobody has moved the end of its time since it was read.
const UNMOVED: &str = "(expires_at IS NULL OR expires_at <= $6)";

/// Past its time, with no credit to come; the oldest first, because that is the index.
fn over() -> String {
    format!("expires_at < $1 AND (credited IS NULL OR credited >= {LATEST})")
}

fn picked_sql(condition: &str, lock: &str) -> String {
    format!("SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' AND {condition} LIMIT $2 {lock}")
}

/// What keeps a session from being ended.
#[derive(Debug, Clone, Copy)]
enum Unless {
    /// That it has ended already.
    Ended,
    /// That, or that the end of its time was moved beyond this.
    Moved(Option<Timestamp>),
}

const REAPED: &str = "status = 'expired', disconnected_at = $1, ended_by = 'server', \
     disconnect_reason = CASE WHEN connected_at <= $2 THEN 'max_age' ELSE 'timeout' END";

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

    /// Ends one chunk of sessions whose time is over, each kind atomically. Call again until it ends none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reap(&self, rule: ReapRule) -> Result<Reaped, StoreError> {
        Ok(Reaped { archon: self.reap_archon(rule).await?, protocol: self.reap_protocol(rule).await? })
    }

    async fn reap_archon(&self, rule: ReapRule) -> Result<Vec<Uuid>, StoreError> {
        let (dialect, lock) = (self.dialect(), self.skip_locked());
        let over = picked_sql(&format!("{} ORDER BY expires_at", over()), lock);
        // Typed by hand without an end of its time: it goes by its last activity.
        let silent = picked_sql("expires_at IS NULL AND last_activity < $1", lock);
        let too_old = rule.too_old.unwrap_or(Timestamp::from_millis(0));
        let end = format!(
            "UPDATE archon_mcp_sessions SET {REAPED} WHERE status = 'active' AND session_id = $3 RETURNING session_id"
        );
        transact!(self, tx => async {
            let mut picked: Vec<DbUuid> = Vec::new();
            for (sql, moment) in [(&over, rule.now), (&silent, rule.now.minus(rule.timeout))] {
                let left = rule.limit - i64::try_from(picked.len()).unwrap_or(rule.limit);
                picked.extend::<Vec<DbUuid>>(sqlx::query_scalar(sqlx::AssertSqlSafe(&**sql))
                    .bind(moment).bind(left).fetch_all(&mut *tx).await?);
            }
            if picked.is_empty() {
                return Ok(Vec::new());
            }
            let ids = json!(picked.iter().map(|id| id.0).collect::<Vec<_>>()).to_string();
            if dialect == Dialect::Postgres {
                sqlx::query(order::LOCK_CONNECTIONS).bind(&ids).bind("[]").execute(&mut *tx).await?;
            }
            let mut ended = Vec::with_capacity(picked.len());
            for id in picked {
                let done: Option<DbUuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(&*end))
                    .bind(rule.now).bind(too_old).bind(id).fetch_optional(&mut *tx).await?;
                ended.extend(done.map(|id| id.0));
            }
            Ok::<_, StoreError>(ended)
        }.await)
    }

    async fn reap_protocol(&self, rule: ReapRule) -> Result<Vec<String>, StoreError> {
        self.end_chosen(&Chosen {
            condition: format!("{} AND (last_activity < $3 OR connected_at <= $2)", over()),
            order: "expires_at",
            set: REAPED,
            now: rule.now,
            long_ago: rule.too_old.unwrap_or(Timestamp::from_millis(0)),
            since: rule.now.minus(rule.protocol_timeout),
            principal: None,
            limit: rule.limit,
        })
        .await
    }

    /// Ends the connections that have been idle for longest. Whether they still are is decided in the ending statement.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn evict(&self, rule: EvictRule<'_>) -> Result<Vec<String>, StoreError> {
        let credit = "(SELECT COALESCE(SUM(o.credit_ms), 0) FROM archon_mcp_outages o \
             WHERE o.number > archon_mcp_protocol_sessions.credited)";
        let since = match self.dialect() {
            Dialect::Postgres => format!("$3 - {credit} * INTERVAL '1 millisecond'"),
            Dialect::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', $3, (-{credit} / 1000.0) || ' seconds')"),
        };
        let own = if rule.principal.is_some() { "principal = $5 AND " } else { "" };
        self.end_chosen(&Chosen {
            condition: format!(
                "{own}last_activity < {since} AND (stream_at IS NULL OR stream_at < {since} OR last_activity < $2)"
            ),
            order: "last_activity",
            set: "status = 'disconnected', disconnected_at = $1, ended_by = 'server', disconnect_reason = 'evicted'",
            now: rule.now,
            long_ago: rule.now.minus(STREAM_SPARES),
            since: rule.now.minus(rule.idle),
            principal: rule.principal,
            limit: rule.limit,
        })
        .await
    }

    /// Looks which connections are meant, locks them in order, and ends those that still are.
    async fn end_chosen(&self, chosen: &Chosen<'_>) -> Result<Vec<String>, StoreError> {
        let (dialect, Chosen { condition, order, set, .. }) = (self.dialect(), chosen);
        let active = "archon_mcp_protocol_sessions WHERE status = 'active'";
        let look = format!("SELECT protocol_session_id FROM {active} AND {condition} ORDER BY {order} LIMIT $4");
        let ids = match dialect {
            Dialect::Postgres => "SELECT jsonb_array_elements_text($6::jsonb)",
            Dialect::Sqlite => "SELECT value FROM json_each($6)",
        };
        let end = format!(
            "UPDATE archon_mcp_protocol_sessions SET {set} WHERE status = 'active' AND {condition} \
             AND protocol_session_id IN ({ids}) RETURNING protocol_session_id"
        );
        transact!(self, tx => async {
            let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(&*look))
                .bind(chosen.now).bind(chosen.long_ago).bind(chosen.since).bind(chosen.limit).bind(chosen.principal)
                .fetch_all(&mut *tx).await?;
            if found.is_empty() {
                return Ok(found);
            }
            let found = json!(found).to_string();
            lock_in_order!(dialect, tx, "[]", &found);
            let ended: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(&*end))
                .bind(chosen.now).bind(chosen.long_ago).bind(chosen.since).bind(chosen.limit).bind(chosen.principal)
                .bind(&found).fetch_all(&mut *tx).await?;
            Ok::<_, StoreError>(ended)
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
