//! The latest calls of some sessions, and the words of one call.

use serde::{Deserialize, Serialize};

use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{Dialect, report};
use crate::store::{Store, StoreError};

/// A tool call of a session.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CallRow {
    /// Whose.
    pub session_id: String,
    /// When it arrived.
    pub timestamp: Option<Timestamp>,
    /// The tool.
    pub tool_name: String,
    /// How it went.
    pub status: Word<RequestStatus>,
    /// How long the tool took, in microseconds.
    pub duration_us: i64,
}

/// What was said in a call, masked: kept only where the server's operator asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct CaptureRow {
    /// The arguments, as JSON, perhaps cut.
    pub arguments: String,
    /// The answer, where it was kept.
    pub answer: Option<String>,
}

impl Store {
    /// The last tool calls of each of these sessions, up to a limit, the newest of each first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn latest_calls(&self, sessions: &[String], each: i64) -> Result<Vec<CallRow>, StoreError> {
        let newest = self.request_order();
        let columns = "SELECT CAST(r.session_id AS TEXT) AS session_id, r.timestamp, r.tool_name, \
             COALESCE(r.status, 'success') AS status, \
             COALESCE(r.duration_us, CAST(r.duration_ms AS BIGINT) * 1000, 0) AS duration_us";
        let sql = match self.dialect() {
            Dialect::Sqlite => format!(
                "{columns} FROM json_each($1) i JOIN archon_mcp_requests r ON r.id IN \
                 (SELECT q.id FROM archon_mcp_requests q WHERE q.session_id = i.value AND q.tool_name IS NOT NULL \
                  ORDER BY q.id DESC LIMIT $2) ORDER BY r.id DESC"
            ),
            Dialect::Postgres => format!(
                "{columns} FROM jsonb_array_elements_text(CAST($1 AS JSONB)) i CROSS JOIN LATERAL \
                 (SELECT * FROM archon_mcp_requests q WHERE q.session_id = CAST(i AS UUID) AND q.tool_name IS NOT NULL \
                  ORDER BY q.{newest} DESC LIMIT $2) r ORDER BY r.{newest} DESC"
            ),
        };
        let ids = serde_json::json!(sessions).to_string();
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(ids).bind(each).fetch_all(db).await)
    }

    /// The words of a call, by the number of its row; `None` where they were not kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn capture(&self, request: i64) -> Result<Option<CaptureRow>, StoreError> {
        report!(self, db => sqlx::query_as(self.report_text(
            "SELECT c.arguments, c.answer FROM archon_mcp_requests r \
             JOIN archon_mcp_captures c ON c.boot = r.boot AND c.seq = r.seq WHERE r.id = $1"))
            .bind(request).fetch_optional(db).await)
    }
}
