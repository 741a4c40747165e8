//! Calls by minute, for curves.

use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{Dialect, report};
use crate::store::{Store, StoreError};

/// Tool calls of one minute, outcome and latency bucket.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MinuteRow {
    /// The minute.
    pub minute: Timestamp,
    /// How they went.
    pub status: Word<RequestStatus>,
    /// The latency bucket, or exact microseconds where there are no sums.
    pub latency: i64,
    /// How many.
    pub calls: i64,
}

impl Store {
    /// Tool calls by minute, from the one in which that moment lies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn minutes(&self, since: Timestamp) -> Result<Vec<MinuteRow>, StoreError> {
        let sql = match (self.has_sums(), self.dialect()) {
            (true, _) => {
                "SELECT minute, status, CAST(bucket AS BIGINT) AS latency, CAST(SUM(calls) AS BIGINT) AS calls \
                 FROM archon_mcp_rollups WHERE minute >= $1 AND tool_name <> '' GROUP BY 1, 2, 3"
            }
            (false, Dialect::Postgres) => {
                "SELECT date_trunc('minute', timestamp) AS minute, COALESCE(status, 'success') AS status, \
                 COALESCE(CAST(duration_ms AS BIGINT) * 1000, 0) AS latency, COUNT(*) AS calls \
                 FROM archon_mcp_requests WHERE timestamp >= $1 AND tool_name IS NOT NULL GROUP BY 1, 2, 3"
            }
            (false, Dialect::Sqlite) => {
                "SELECT substr(timestamp, 1, 16) || ':00.000' AS minute, COALESCE(status, 'success') AS status, \
                 COALESCE(CAST(duration_ms AS BIGINT) * 1000, 0) AS latency, COUNT(*) AS calls \
                 FROM archon_mcp_requests WHERE timestamp >= $1 AND tool_name IS NOT NULL GROUP BY 1, 2, 3"
            }
        };
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since.minute()).fetch_all(db).await)
    }
}
