//! Sessions by client, and by the hour in which they began.

use super::alive::Moment;
use super::sessions::Standing;
use super::standings::WAITING;
use super::usage::Group;
use super::{once, report};
use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::{Store, StoreError, Tables};

/// The sessions of one client type and version, those that called no tool included.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ClientRow {
    /// The client's type.
    pub client_type: String,
    /// The client's version as given; empty if unknown.
    pub client_version: String,
    /// All of them.
    pub sessions: i64,
    /// Those that a server would accept.
    pub open: i64,
    /// Those that called no tool.
    pub silent: i64,
    /// Those that their client closed.
    pub closed: i64,
    /// Those whose time ran out.
    pub timed_out: i64,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Archon sessions with a duration.
    pub lasted: i64,
    /// How long those lasted together, in seconds.
    pub lasted_s: i64,
}

impl Store {
    /// Sessions by client type and version; the most sessions first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(&self, moment: &Moment) -> Result<Vec<ClientRow>, StoreError> {
        let tables = self.tables();
        let (alive, over) = (Standing::Alive.sql(moment, tables), Standing::Over.sql(moment, tables));
        let sums = |table: &str, silent: &str, calls: &str, lasted: &str, condition: &str| {
            format!(
                "SELECT COALESCE(client_type, 'Unknown') AS client_type, COALESCE(client_version, '') AS client_version, \
                 COUNT(*) AS sessions, COUNT(CASE WHEN {alive} THEN 1 END) AS open, {silent} AS silent, \
                 COUNT(CASE WHEN disconnect_reason = 'client_disconnect' THEN 1 END) AS closed, \
                 COUNT(CASE WHEN status = 'expired' OR {over} THEN 1 END) AS timed_out, {calls}, {lasted} \
                 FROM {table} WHERE {condition} GROUP BY 1, 2"
            )
        };
        let none = "CAST(0 AS BIGINT)";
        let no_calls = format!("{none} AS calls, {none} AS errors");
        let lasted = "COUNT(total_duration) AS lasted, CAST(COALESCE(SUM(total_duration), 0) AS BIGINT) AS lasted_s";
        let mut texts = Vec::new();
        match tables {
            Tables::Ours => {
                let calls = "CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(errors) AS BIGINT) AS errors";
                texts.push(sums("archon_mcp_sessions", none, calls, lasted, "TRUE"));
                let unlasted = format!("{none} AS lasted, {none} AS lasted_s");
                texts.push(sums("archon_mcp_protocol_sessions", "COUNT(*)", &no_calls, &unlasted, WAITING));
            }
            Tables::Original => texts.push(sums("archon_mcp_sessions", none, &no_calls, lasted, "TRUE")),
        }
        let mut rows: Vec<ClientRow> = Vec::new();
        for sql in texts {
            let part: Vec<ClientRow> = report(async { read!(self, db => once(sql).fetch_all(db).await) }).await?;
            for row in part {
                row.add_to(&mut rows);
            }
        }
        rows.sort_by(|a, b| {
            b.sessions
                .cmp(&a.sessions)
                .then_with(|| (&a.client_type, &a.client_version).cmp(&(&b.client_type, &b.client_version)))
        });
        Ok(rows)
    }

    /// How many sessions began in each hour since then, by the hour as `YYYY-MM-DD HH:MM:SS.SSS`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begun_by_hour(&self, since: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
        let hour = self.begin_text(Group::Hour, "connected_at");
        let waiting = if self.tables() == Tables::Ours {
            " UNION ALL SELECT connected_at FROM archon_mcp_protocol_sessions p WHERE NOT called AND connected_at >= $1 AND NOT EXISTS \
             (SELECT 1 FROM archon_mcp_sessions s WHERE s.session_id = p.session_id)"
        } else {
            ""
        };
        let sql = format!(
            "SELECT {hour} AS name, COUNT(*) FROM (SELECT connected_at FROM archon_mcp_sessions WHERE connected_at >= $1\
             {waiting}) begun GROUP BY 1 ORDER BY 1"
        );
        report(async { read!(self, db => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(since).fetch_all(db).await) })
            .await
    }
}

impl ClientRow {
    /// Adds it to the row of the same client, or as a row of its own.
    fn add_to(self, rows: &mut Vec<Self>) {
        let same = |row: &&mut Self| row.client_type == self.client_type && row.client_version == self.client_version;
        let Some(row) = rows.iter_mut().find(same) else {
            rows.push(self);
            return;
        };
        row.sessions += self.sessions;
        row.open += self.open;
        row.silent += self.silent;
        row.closed += self.closed;
        row.timed_out += self.timed_out;
        row.calls += self.calls;
        row.errors += self.errors;
        row.lasted += self.lasted;
        row.lasted_s += self.lasted_s;
    }
}
