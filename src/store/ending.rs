//! How sessions end: one way, in one statement with `WHERE status = 'active'`. The triggers of the schema fill in the
//! rest (duration, event, the protocol sessions bound to an Archon session), so an end typed by hand counts like these.

use std::time::Duration;

use uuid::Uuid;

use super::backend::transact;
use super::codec::DbUuid;
use super::fold::json;
use super::statements::{self, Dialect};
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

impl Store {
    /// Ends a protocol session, and its Archon session unless another live protocol session is bound to it.
    /// `false` when it was not active any more.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn end_protocol_session(&self, id: &str, ending: Ending<'_>) -> Result<bool, StoreError> {
        let (status, reason) = (ending.reason.status().as_str(), ending.reason.as_str());
        transact!(self, tx => async {
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
        // A row without an end of its time (typed by hand) ends by its last activity.
        let over = "status = 'active' AND (boot IS NULL OR boot >= $4) AND expires_at < $1";
        let archon = format!(
            "UPDATE archon_mcp_sessions SET status = 'expired', disconnected_at = $1, ended_by = 'server', \
             disconnect_reason = CASE WHEN connected_at <= $2 THEN 'max_age' ELSE 'timeout' END \
             WHERE status = 'active' AND session_id IN ( \
                 SELECT session_id FROM archon_mcp_sessions \
                 WHERE ({over}) OR (status = 'active' AND expires_at IS NULL AND last_activity < $3) LIMIT $5 {lock}) \
             RETURNING session_id"
        );
        let protocol = format!(
            "UPDATE archon_mcp_protocol_sessions SET status = 'expired', disconnected_at = $1, ended_by = 'server', \
             disconnect_reason = CASE WHEN connected_at <= $2 THEN 'max_age' ELSE 'timeout' END \
             WHERE status = 'active' AND protocol_session_id IN ( \
                 SELECT protocol_session_id FROM archon_mcp_protocol_sessions WHERE {over} LIMIT $3 {lock}) \
             RETURNING protocol_session_id"
        );
        let too_old = rule.too_old.unwrap_or(Timestamp::from_millis(0));
        let silent_since = rule.now.minus(rule.timeout);
        transact!(self, tx => async {
            let ids: Vec<DbUuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(archon))
                .bind(rule.now).bind(too_old).bind(silent_since).bind(rule.credited_from).bind(rule.limit)
                .fetch_all(&mut *tx).await?;
            let protocol: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(protocol))
                .bind(rule.now).bind(too_old).bind(rule.limit).bind(rule.credited_from).fetch_all(&mut *tx).await?;
            Ok::<_, StoreError>(Reaped { archon: ids.into_iter().map(|id| id.0).collect(), protocol })
        }.await)
    }

    /// Gives the time in which no server was alive back to one chunk of sessions that were last written before it, and
    /// marks them as written by this boot. `credits` lists boots with the outage before each. Returns how many rows got
    /// theirs; call again until it is zero.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn credit_outage(&self, credits: &Credits, boot: i64, limit: i64) -> Result<usize, StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            let archon: Vec<(DbUuid, Timestamp, i64, Timestamp)> = sqlx::query_as(
                "SELECT session_id, expires_at, boot, connected_at FROM archon_mcp_sessions \
                 WHERE status = 'active' AND boot < $1 AND expires_at IS NOT NULL LIMIT $2",
            ).bind(credits.latest()).bind(limit).fetch_all(&mut *tx).await?;
            let protocol: Vec<(String, Timestamp, i64, Timestamp)> = sqlx::query_as(
                "SELECT protocol_session_id, expires_at, boot, connected_at FROM archon_mcp_protocol_sessions \
                 WHERE status = 'active' AND boot < $1 LIMIT $2",
            ).bind(credits.latest()).bind(limit).fetch_all(&mut *tx).await?;
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
            Ok::<_, StoreError>(archon.len() + protocol.len())
        }.await)
    }

    /// PostgreSQL's reapers share the work instead of waiting for each other; SQLite has one writer anyway.
    fn skip_locked(&self) -> &'static str {
        match self.dialect() {
            Dialect::Postgres => "FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        }
    }
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
