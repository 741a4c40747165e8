//! Calls of each tool by hour, for curves, and the slowest call of an hour.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::requests::{self, RequestRow};
use crate::model::latency::upper_micros;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{Dialect, report};
use crate::store::{Store, StoreError};

/// How far out of order rows are written: servers write in batches, and several servers at once.
const OUT_OF_ORDER: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The calls of one tool in one hour: `{"tool": "health_check", "hour": "2026-01-10T12:00:00.000Z", "calls": 120}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct ToolHour {
    /// The tool.
    #[sqlx(rename = "tool_name")]
    pub tool: String,
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// How many.
    pub calls: i64,
    /// How slow the slowest was: its latency bucket, or its microseconds where there are no sums.
    #[serde(skip)]
    pub top: i64,
}

impl Store {
    /// The calls of each tool by hour, over all minutes from the one in which `since` lies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tool_hours(&self, since: Timestamp) -> Result<Vec<ToolHour>, StoreError> {
        let sql = match (self.has_sums(), self.dialect()) {
            (false, Dialect::Postgres) => {
                "SELECT tool_name, date_trunc('hour', timestamp, 'UTC') AS hour, COUNT(*) AS calls, \
                 COALESCE(MAX(CAST(duration_ms AS BIGINT)), 0) * 1000 AS top \
                 FROM archon_mcp_requests WHERE timestamp >= $1 AND tool_name IS NOT NULL GROUP BY 1, 2 ORDER BY 2, 1"
            }
            (false, Dialect::Sqlite) => {
                "SELECT tool_name, substr(timestamp, 1, 13) || ':00:00.000' AS hour, COUNT(*) AS calls, \
                 COALESCE(MAX(CAST(duration_ms AS BIGINT)), 0) * 1000 AS top \
                 FROM archon_mcp_requests WHERE timestamp >= $1 AND tool_name IS NOT NULL GROUP BY 1, 2 ORDER BY 2, 1"
            }
            (true, Dialect::Sqlite) => {
                "SELECT tool_name, substr(minute, 1, 13) || ':00:00.000' AS hour, SUM(calls) AS calls, MAX(bucket) AS top \
                 FROM archon_mcp_rollups WHERE minute >= $1 AND tool_name <> '' GROUP BY 1, 2 ORDER BY 2, 1"
            }
            (true, Dialect::Postgres) => {
                "SELECT tool_name, date_trunc('hour', minute, 'UTC') AS hour, CAST(SUM(calls) AS BIGINT) AS calls, \
                 CAST(MAX(bucket) AS BIGINT) AS top \
                 FROM archon_mcp_rollups WHERE minute >= $1 AND tool_name <> '' GROUP BY 1, 2 ORDER BY 2, 1"
            }
        };
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since.minute()).fetch_all(db).await)
    }

    /// The slowest call of that hour and tool; of several minutes with calls as slow (within their bucket), of the last.
    /// `most` is the bucket of the slowest call of any tool at that time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn slowest_call(&self, of: &ToolHour, most: i64) -> Result<Option<RequestRow>, StoreError> {
        let (from, to, numbers) = if self.has_sums() {
            let Some(minute) = self.slowest_minute(of).await? else { return Ok(None) };
            // So the few rows of a minute are read, not those of all times. A row is written when its call ends.
            let slack = upper_edge(most) + OUT_OF_ORDER;
            let first = self.first_request(minute.minus(slack)).await?;
            let after = self.first_request(minute.plus(MINUTE + slack)).await?;
            (minute, minute.plus(MINUTE), (first, after))
        } else {
            (of.hour, of.hour.plus(HOUR), (0, i64::MAX))
        };
        let sql = requests::slowest_sql(self.request_id(), self.request_order());
        let (first, after) = numbers;
        report!(self, db => sqlx::query_as(self.report_text(sql))
            .bind(&of.tool).bind(from).bind(to).bind(first).bind(after).fetch_optional(db).await)
    }

    /// The last minute of that hour with a call of the tool in its slowest bucket.
    async fn slowest_minute(&self, of: &ToolHour) -> Result<Option<Timestamp>, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text(
            "SELECT minute FROM archon_mcp_rollups \
             WHERE minute >= $1 AND minute < $2 AND tool_name = $3 AND bucket = $4 ORDER BY minute DESC LIMIT 1"))
            .bind(of.hour).bind(of.hour.plus(HOUR)).bind(&of.tool).bind(of.top).fetch_optional(db).await)
    }
}

/// No call of that latency bucket takes longer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the edge of a latency bucket")]
fn upper_edge(bucket: i64) -> Duration {
    Duration::from_micros(upper_micros(i32::try_from(bucket).unwrap_or(i32::MAX)) as u64)
}
