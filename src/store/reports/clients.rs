//! Sessions by client, and by the hour in which they began.

use serde::{Deserialize, Serialize};

use super::alive::Moment;
use super::lines::{Line, SessionState};
use super::once;
use crate::model::group::Group;
use crate::model::timestamp::Timestamp;
use crate::store::backend::report;
use crate::store::{Store, StoreError};

/// The sessions of one client type and version:
///
/// ```json
/// {"client_type": "Claude Code", "client_version": "1.0.0", "sessions": 12, "open": 3, "silent": 1, "closed": 8,
///  "timed_out": 1, "calls": 240, "errors": 2, "archon_sessions": 14, "lasted": 9, "lasted_s": 5400}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct ClientUse {
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
    /// Its Archon sessions: one connection has one after the other.
    pub archon_sessions: i64,
    /// Those of them with a duration.
    pub lasted: i64,
    /// How long those lasted together, in seconds.
    pub lasted_s: i64,
}

/// How long Archon sessions last is theirs, whatever connection they are of.
const LASTED: &str = "SELECT COALESCE(client_type, 'Unknown') AS client_type, COALESCE(client_version, '') AS client_version, \
     CAST(0 AS BIGINT) AS sessions, CAST(0 AS BIGINT) AS open, CAST(0 AS BIGINT) AS silent, CAST(0 AS BIGINT) AS closed, \
     CAST(0 AS BIGINT) AS timed_out, CAST(0 AS BIGINT) AS calls, CAST(0 AS BIGINT) AS errors, COUNT(*) AS archon_sessions, \
     COUNT(total_duration) AS lasted, CAST(COALESCE(SUM(total_duration), 0) AS BIGINT) AS lasted_s \
     FROM archon_mcp_sessions GROUP BY 1, 2";

impl Line {
    /// Its sums by client.
    fn by_client(self, moment: &Moment) -> String {
        let none = "CAST(0 AS BIGINT)";
        let of = |standing| self.standing(standing, moment);
        let silent = match self {
            Self::Connection => "COUNT(CASE WHEN NOT called AND calls = 0 THEN 1 END)",
            Self::Alone => none,
        };
        format!(
            "SELECT COALESCE(client_type, 'Unknown') AS client_type, COALESCE(client_version, '') AS client_version, \
             COUNT(*) AS sessions, COUNT(CASE WHEN {alive} THEN 1 END) AS open, {silent} AS silent, \
             COUNT(CASE WHEN disconnect_reason = 'client_disconnect' THEN 1 END) AS closed, \
             COUNT(CASE WHEN status = 'expired' OR ({over}) THEN 1 END) AS timed_out, \
             CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(errors) AS BIGINT) AS errors, {none} AS archon_sessions, {none} AS lasted, {none} AS lasted_s FROM {table} WHERE {own} GROUP BY 1, 2",
            alive = of(SessionState::Alive),
            over = of(SessionState::Over),
            table = self.table(),
            own = self.own()
        )
    }
}

impl Store {
    /// Sessions by client type and version; the most sessions first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(&self, moment: &Moment) -> Result<Vec<ClientUse>, StoreError> {
        let mut texts: Vec<_> = Line::ALL.iter().map(|line| line.by_client(moment)).collect();
        texts.push(LASTED.to_owned());
        let mut rows: Vec<ClientUse> = Vec::new();
        for sql in texts {
            let part: Vec<ClientUse> = report!(self, db => once(self.report_text(sql)).fetch_all(db).await)?;
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
        let begun = Line::ALL.map(|line| {
            format!("SELECT connected_at FROM {} WHERE connected_at >= $1 AND {}", line.table(), line.own())
        });
        let begun = begun.join(" UNION ALL ");
        let sql = format!("SELECT {hour} AS name, COUNT(*) FROM ({begun}) begun GROUP BY 1 ORDER BY 1");
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since).fetch_all(db).await)
    }
}

impl ClientUse {
    /// How long its Archon sessions lasted on average, in seconds.
    pub fn mean_s(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a mean of seconds")]
        (self.lasted > 0).then(|| self.lasted_s as f64 / self.lasted as f64)
    }

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
        row.archon_sessions += self.archon_sessions;
        row.lasted += self.lasted;
        row.lasted_s += self.lasted_s;
    }
}
