//! How sessions end: one way, in one statement with `WHERE status = 'active'`. The triggers of the schema fill in the
//! rest (duration, event, the protocol sessions bound to an Archon session), so an end typed by hand counts like these.

use std::time::Duration;

use uuid::Uuid;

use super::backend::{read, transact};
use super::codec::DbUuid;
use super::lookup::patiently;
use super::statements::{self, Dialect, json};
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
    /// For rows typed without an `expires_at`.
    pub timeout: Duration,
    /// Sessions that began before this moment are too old.
    pub too_old: Option<Timestamp>,
    /// Rows last written by an earlier boot than this one still wait for credit (see [`Store::credit_outage`]).
    pub credited_from: i64,
    /// How many of each kind at most.
    pub limit: i64,
}

/// What one chunk ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Archon sessions (their protocol sessions ended with them).
    pub archon: Vec<Uuid>,
    /// Protocol sessions that had no Archon session, or outlived by it.
    pub protocol: Vec<String>,
}

const END_PROTOCOL: &str = "UPDATE archon_mcp_protocol_sessions SET status = $1, disconnected_at = $2, \
     disconnect_reason = $3, ended_by = $4 WHERE protocol_session_id = $5 AND status = 'active'";

const END_ARCHON: &str = "UPDATE archon_mcp_sessions SET status = $1, disconnected_at = $2, disconnect_reason = $3, \
     ended_by = $4 WHERE session_id = $5 AND status = 'active'";

/// The Archon session of a protocol session, unless another live protocol session is bound to it.
const END_ARCHON_IF_ALONE: &str = "UPDATE archon_mcp_sessions SET status = $1, disconnected_at = $2, \
     disconnect_reason = $3, ended_by = $4 WHERE status = 'active' \
     AND session_id = (SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $5) \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions o \
                     WHERE o.session_id = archon_mcp_sessions.session_id AND o.status = 'active')";

const CREDIT_DUE: &str = "SELECT EXISTS (SELECT 1 FROM archon_mcp_sessions \
         WHERE status = 'active' AND boot < $1 AND expires_at < $2) \
     OR EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions WHERE status = 'active' AND boot < $1 AND expires_at < $2)";

/// Rows of one table that have credit coming, in the order of their index.
fn credit_sql(table: &str, id: &str, lock: &str) -> String {
    format!(
        "SELECT {id}, expires_at, boot, connected_at FROM {table} \
         WHERE status = 'active' AND boot < $1 AND expires_at < $2 AND expires_at >= $3 \
         ORDER BY expires_at LIMIT $4 {lock}"
    )
}

/// Past its time, with no credit to come; the oldest first, because that is the index.
const OVER: &str = "expires_at < $1 AND (boot IS NULL OR boot >= $3) ORDER BY expires_at";

/// Typed by hand without an end of its time: it goes by its last activity.
const SILENT: &str = "expires_at IS NULL AND last_activity < $3";

/// The end of one chunk of a table's rows that are over. They are picked first and once: in a plain subquery PostgreSQL
/// may pick again for each row that it looks at, and the limit would be none.
fn reap_sql(table: &str, id: &str, over: &str, lock: &str) -> String {
    format!(
        "WITH picked AS MATERIALIZED ( \
             SELECT {id} FROM {table} WHERE status = 'active' AND {over} LIMIT $4 {lock}) \
         UPDATE {table} SET status = 'expired', disconnected_at = $1, ended_by = 'server', \
         disconnect_reason = CASE WHEN connected_at <= $2 THEN 'max_age' ELSE 'timeout' END \
         WHERE status = 'active' AND {id} IN (SELECT {id} FROM picked) RETURNING {id}"
    )
}

/// PostgreSQL only. Every transaction locks an Archon session before its protocol sessions, or two would wait for each
/// other; and two protocol sessions that end at the same moment must see each other, or both leave it alive.
const LOCK_ARCHON: &str = "SELECT s.session_id FROM archon_mcp_sessions s \
     JOIN archon_mcp_protocol_sessions p ON p.session_id = s.session_id \
     WHERE p.protocol_session_id = $1 FOR NO KEY UPDATE OF s";

impl Store {
    /// Ends a protocol session, and its Archon session unless another live protocol session is bound to it.
    /// `false` when it was not active any more.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn end_protocol_session(&self, id: &str, ending: Ending<'_>) -> Result<bool, StoreError> {
        let (status, reason) = (ending.reason.status().as_str(), ending.reason.as_str());
        let dialect = self.dialect();
        transact!(self, tx => async {
            if dialect == Dialect::Postgres {
                sqlx::query(LOCK_ARCHON).bind(id).execute(&mut *tx).await?;
            }
            let ended = sqlx::query(END_PROTOCOL)
                .bind(status).bind(ending.at).bind(reason).bind(ending.by).bind(id)
                .execute(&mut *tx).await?.rows_affected() > 0;
            if ended {
                sqlx::query(END_ARCHON_IF_ALONE)
                    .bind(status).bind(ending.at).bind(reason).bind(ending.by).bind(id).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(ended)
        }.await)
    }

    /// Ends an Archon session and with it every protocol session bound to it. `false` when it was not active any more.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn end_archon_session(&self, id: Uuid, ending: Ending<'_>) -> Result<bool, StoreError> {
        transact!(self, tx => async {
            let done = sqlx::query(END_ARCHON)
                .bind(ending.reason.status().as_str()).bind(ending.at).bind(ending.reason.as_str()).bind(ending.by)
                .bind(DbUuid(id)).execute(&mut *tx).await?;
            Ok::<_, StoreError>(done.rows_affected() > 0)
        }.await)
    }

    /// Ends one chunk of sessions whose time is over, atomically. Call again until it ends none.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn reap(&self, rule: ReapRule) -> Result<Reaped, StoreError> {
        let lock = self.skip_locked();
        let archon = reap_sql("archon_mcp_sessions", "session_id", OVER, lock);
        let typed = reap_sql("archon_mcp_sessions", "session_id", SILENT, lock);
        let protocol = reap_sql("archon_mcp_protocol_sessions", "protocol_session_id", OVER, lock);
        let too_old = rule.too_old.unwrap_or(Timestamp::from_millis(0));
        let silent_since = rule.now.minus(rule.timeout);
        transact!(self, tx => async {
            let mut archon: Vec<DbUuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(&*archon))
                .bind(rule.now).bind(too_old).bind(rule.credited_from).bind(rule.limit).fetch_all(&mut *tx).await?;
            let left = rule.limit - i64::try_from(archon.len()).unwrap_or(rule.limit);
            archon.extend::<Vec<DbUuid>>(sqlx::query_scalar(sqlx::AssertSqlSafe(&*typed))
                .bind(rule.now).bind(too_old).bind(silent_since).bind(left).fetch_all(&mut *tx).await?);
            let protocol: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(&*protocol))
                .bind(rule.now).bind(too_old).bind(rule.credited_from).bind(rule.limit).fetch_all(&mut *tx).await?;
            Ok::<_, StoreError>(Reaped { archon: archon.into_iter().map(|id| id.0).collect(), protocol })
        }.await)
    }

    /// Gives the time in which no server was alive back to one chunk of sessions that were last written before it, and
    /// marks them as written by this boot. `credits` lists boots with the outage before each. Call again, from where it
    /// says, until it says nothing.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn credit_outage(&self, credits: &Credits, rule: CreditRule) -> Result<Credited, StoreError> {
        let latest = credits.latest();
        // Mostly there is nothing to do, and finding that out keeps no writer waiting.
        let due: bool = patiently(async {
            read!(self, db => sqlx::query_scalar(CREDIT_DUE).bind(latest).bind(rule.until).fetch_one(db).await)
        })
        .await?;
        if !due {
            return Ok(Credited::default());
        }
        let (dialect, lock) = (self.dialect(), self.skip_locked());
        // Rows that others lock are being touched, ended or credited: what is read here stays true until the commit.
        let archon = credit_sql("archon_mcp_sessions", "session_id", lock);
        let protocol = credit_sql("archon_mcp_protocol_sessions", "protocol_session_id", lock);
        // Marked at least as the last boot with an outage, or they would have it coming again.
        let boot = rule.boot.max(latest);
        transact!(self, tx => async {
            let archon: Vec<(DbUuid, Timestamp, i64, Timestamp)> =
                sqlx::query_as(sqlx::AssertSqlSafe(&*archon))
                .bind(latest).bind(rule.until).bind(rule.from).bind(rule.limit).fetch_all(&mut *tx).await?;
            let protocol: Vec<(String, Timestamp, i64, Timestamp)> =
                sqlx::query_as(sqlx::AssertSqlSafe(&*protocol))
                .bind(latest).bind(rule.until).bind(rule.from).bind(rule.limit).fetch_all(&mut *tx).await?;
            let archon_rows: Vec<_> = archon.iter().map(|(id, expires, by, began)| serde_json::json!({
                "session_id": id.0, "expires_at": credits.extend(*expires, Some(*by), *began).sql_text(), "boot": boot,
            })).collect();
            let protocol_rows: Vec<_> = protocol.iter().map(|(id, expires, by, began)| serde_json::json!({
                "protocol_session_id": id, "expires_at": credits.extend(*expires, Some(*by), *began).sql_text(), "boot": boot,
            })).collect();
            for (statement, rows) in
                [(statements::CREDIT_ARCHON, json(&archon_rows)), (statements::CREDIT_PROTOCOL, json(&protocol_rows))]
            {
                if let Some(rows) = rows {
                    sqlx::query(sqlx::AssertSqlSafe(statement.sql(dialect))).bind(rows).execute(&mut *tx).await?;
                }
            }
            let next = [
                rule.next(archon.len(), archon.last().map(|row| row.1)),
                rule.next(protocol.len(), protocol.last().map(|row| row.1)),
            ];
            Ok::<_, StoreError>(Credited {
                rows: archon.len() + protocol.len(),
                next: next.into_iter().flatten().min(),
            })
        }.await)
    }

    /// PostgreSQL's servers share the work instead of waiting for each other, and a row that somebody writes just now is
    /// in use; SQLite has one writer anyway.
    fn skip_locked(&self) -> &'static str {
        match self.dialect() {
            // Not FOR UPDATE: the rows of requests refer to these rows, and would wait.
            Dialect::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        }
    }
}

/// Which sessions get the time back in which no server was alive. Only those whose time is over soon: for the others it is
/// added when they are used, and a restart that rewrites every session would be long.
#[derive(Debug, Clone, Copy)]
pub struct CreditRule {
    /// The boot that gives it.
    pub boot: i64,
    /// Sessions whose time is over before.
    pub until: Timestamp,
    /// And not before this moment: where the chunk before has ended.
    pub from: Timestamp,
    /// At most so many of each kind.
    pub limit: i64,
}

impl CreditRule {
    /// Where a table's next chunk begins, if this one was full.
    fn next(&self, rows: usize, last: Option<Timestamp>) -> Option<Timestamp> {
        last.filter(|_| i64::try_from(rows).is_ok_and(|rows| rows >= self.limit))
    }
}

/// A chunk of credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credited {
    /// How many rows got theirs.
    pub rows: usize,
    /// Where to go on.
    pub next: Option<Timestamp>,
}

/// Outages before boots: time in which no server was alive, which does not count as idle.
#[derive(Debug, Clone, Default)]
pub struct Credits {
    /// Boot number and the outage before it, by number.
    pub outages: Vec<(i64, Duration)>,
    /// No credit reaches beyond this age of a session.
    pub max_age: Option<Duration>,
}

impl Credits {
    /// The last boot with an outage before it; rows written by earlier boots have credit to come.
    pub fn latest(&self) -> i64 {
        self.outages.last().map_or(0, |(boot, _)| *boot)
    }

    /// The end of a session's time, with what it has coming since its row was last written by `boot`.
    pub fn extend(&self, expires_at: Timestamp, boot: Option<i64>, began: Timestamp) -> Timestamp {
        let Some(boot) = boot else { return expires_at };
        let credit: Duration = self.outages.iter().filter(|(b, _)| *b > boot).map(|(_, outage)| *outage).sum();
        let extended = expires_at.plus(credit);
        self.max_age.map_or(extended, |age| extended.min(began.plus(age)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_counts_outages_after_the_row_was_written_and_stops_at_the_greatest_age() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let mut credits = Credits { outages: vec![(2, minutes(10)), (5, minutes(60))], max_age: None };
        let (began, expires) = (Timestamp::from_millis(0), Timestamp::from_millis(0).plus(minutes(30)));
        assert_eq!(credits.extend(expires, Some(1), began), began.plus(minutes(100)));
        assert_eq!(credits.extend(expires, Some(2), began), began.plus(minutes(90)));
        assert_eq!(credits.extend(expires, Some(5), began), expires);
        assert_eq!(credits.extend(expires, None, began), expires, "typed by hand: no boot, no credit");
        credits.max_age = Some(minutes(45));
        assert_eq!(credits.extend(expires, Some(1), began), began.plus(minutes(45)));
    }
}
