//! What outages give to sessions: the ends of their time move, a chunk at a time.

use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, Dialect, RowStatement, Text, json, read, transact};
use crate::store::boots::Credits;
use crate::store::{Store, StoreError};

const DUE: &str = "SELECT EXISTS (SELECT 1 FROM archon_mcp_sessions \
         WHERE status = 'active' AND credited < $1 AND expires_at < $2) \
     OR EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions WHERE status = 'active' AND credited < $1 AND expires_at < $2)";

/// Rows of one table that have credit coming, in the order of their index.
fn uncredited(dialect: Dialect, table: &str, id: &str) -> String {
    format!(
        "SELECT {id}, expires_at, credited FROM {table} \
         WHERE status = 'active' AND credited < $1 AND expires_at < $2 AND expires_at >= $3 \
         ORDER BY expires_at LIMIT $4 {}",
        dialect.skip_locked()
    )
}

static UNCREDITED_ARCHON: Text = Text::new(|dialect| uncredited(dialect, "archon_mcp_sessions", "session_id"));
static UNCREDITED_PROTOCOL: Text =
    Text::new(|dialect| uncredited(dialect, "archon_mcp_protocol_sessions", "protocol_session_id"));

/// Brings rows of one table back to the greatest age.
fn kept_age(dialect: Dialect, table: &str, id: &str) -> String {
    let end = match dialect {
        Dialect::Postgres => "connected_at + $1 * INTERVAL '1 millisecond'",
        Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', connected_at, ($1 / 1000.0) || ' seconds')",
    };
    format!(
        "UPDATE {table} SET expires_at = {end} WHERE {id} IN (SELECT {id} FROM {table} \
         WHERE status = 'active' AND expires_at > {end} ORDER BY {id} LIMIT $2 {})",
        dialect.skip_locked()
    )
}

static KEEP_AGE: [Text; 2] = [
    Text::new(|dialect| kept_age(dialect, "archon_mcp_sessions", "session_id")),
    Text::new(|dialect| kept_age(dialect, "archon_mcp_protocol_sessions", "protocol_session_id")),
];

/// Which sessions get what they have coming. Only those whose time is over soon: for the others it is added when they are
/// used, and a restart that rewrites every session would be long.
#[derive(Debug, Clone, Copy)]
pub struct CreditRule {
    /// Sessions whose time is over before.
    pub until: Timestamp,
    /// And not before this moment: where the chunk before has ended.
    pub from: Timestamp,
    /// The greatest number of each kind.
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

/// Time without any server is given back to sessions that were last touched before it.
static CREDIT_PROTOCOL: RowStatement = RowStatement::new(
    "archon_mcp_protocol_sessions",
    &["protocol_session_id", "expires_at", "credited"],
    "UPDATE archon_mcp_protocol_sessions AS t SET expires_at = j.expires_at, credited = j.credited FROM {joined rows} \
     WHERE t.protocol_session_id = j.protocol_session_id AND {+}t.status = 'active' AND t.credited < j.credited",
);

/// The same for Archon sessions.
static CREDIT_ARCHON: RowStatement = RowStatement::new(
    "archon_mcp_sessions",
    &["session_id", "expires_at", "credited"],
    "UPDATE archon_mcp_sessions AS t SET expires_at = j.expires_at, credited = j.credited FROM {joined rows} \
     WHERE t.session_id = j.session_id AND {+}t.status = 'active' AND t.credited < j.credited",
);

impl Store {
    /// Brings one chunk of rows that say a later end than the greatest age back to that: they were written under another
    /// limit, or credited beyond it. How many; call again until there are none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_age(&self, max_age: Duration, limit: i64) -> Result<u64, StoreError> {
        let dialect = self.dialect();
        let age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
        transact!(self, tx => async {
            let mut kept = 0;
            for text in &KEEP_AGE {
                let done = sqlx::query(text.sql(dialect)).bind(age).bind(limit).execute(&mut *tx).await?;
                kept += done.rows_affected();
            }
            Ok::<_, StoreError>(kept)
        }.await)
    }

    /// Gives one chunk of sessions what they have coming, and marks it as given. Call again, from where it says, until it
    /// says nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credit_sessions(&self, credits: &Credits, rule: CreditRule) -> Result<Credited, StoreError> {
        let latest = credits.latest();
        // Mostly there is nothing to do, and finding that out keeps no writer waiting.
        let due: bool = read!(self, db => sqlx::query_scalar(DUE).bind(latest).bind(rule.until).fetch_one(db).await)?;
        if !due {
            return Ok(Credited::default());
        }
        let dialect = self.dialect();
        // Rows that others lock are being touched, ended or credited: what is read here stays true until the commit.
        transact!(self, tx => async {
            let archon: Vec<(DbUuid, Timestamp, i64)> = sqlx::query_as(UNCREDITED_ARCHON.sql(dialect))
                .bind(latest).bind(rule.until).bind(rule.from).bind(rule.limit).fetch_all(&mut *tx).await?;
            let protocol: Vec<(String, Timestamp, i64)> = sqlx::query_as(UNCREDITED_PROTOCOL.sql(dialect))
                .bind(latest).bind(rule.until).bind(rule.from).bind(rule.limit).fetch_all(&mut *tx).await?;
            let archon_rows: Vec<_> = archon.iter().map(|(id, expires, credited)| serde_json::json!({
                "session_id": id.0, "expires_at": credits.extend(*expires, Some(*credited)).sql_text(), "credited": latest,
            })).collect();
            let protocol_rows: Vec<_> = protocol.iter().map(|(id, expires, credited)| serde_json::json!({
                "protocol_session_id": id, "expires_at": credits.extend(*expires, Some(*credited)).sql_text(),
                "credited": latest,
            })).collect();
            for (statement, rows) in
                [(&CREDIT_ARCHON, json(&archon_rows)), (&CREDIT_PROTOCOL, json(&protocol_rows))]
            {
                if let Some(rows) = rows {
                    sqlx::query(statement.sql(dialect)).bind(rows).execute(&mut *tx).await?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_begins_with_the_rows_that_are_given() {
        for statement in [&CREDIT_PROTOCOL, &CREDIT_ARCHON] {
            statement.assert_begins_with_its_rows();
        }
    }
}
