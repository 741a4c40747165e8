//! Boots, as they are listed: each run of a server, how it ended, and how many sessions went on in it.

use crate::model::boot::{Confidence, EndCause};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::report;
use crate::store::{Store, StoreError};

/// One run of a server.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct BootRow {
    /// Its number; the first is 1.
    pub number: i64,
    /// The process.
    pub pid: Option<i64>,
    /// The program's version.
    pub version: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last said that it is alive.
    pub heartbeat_at: Timestamp,
    /// When it last ended what was past its time.
    pub cleanup_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end_cause: Option<Word<EndCause>>,
    /// How sure that is.
    pub end_confidence: Option<Word<Confidence>>,
    /// What shows it.
    pub end_evidence: Option<String>,
    /// How long no server had been alive before it.
    pub outage_ms: i64,
    /// Its id.
    pub boot_id: Option<String>,
    /// Its number in its line of succession.
    pub start_number: Option<i64>,
    /// Its machine.
    pub host: Option<String>,
    /// Where it listened.
    pub listen: Option<String>,
    /// What it had in memory at its last heartbeat, in bytes.
    pub memory_bytes: Option<i64>,
}

impl Store {
    /// The last boots, the newest first; an original Archon's tables know of none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boots(&self, limit: i64) -> Result<Vec<BootRow>, StoreError> {
        report!(self, db => sqlx::query_as(self.report_text(
            "SELECT number, CAST(pid AS BIGINT) AS pid, version, started_at, heartbeat_at, cleanup_at, ended_at, \
             end_cause, end_confidence, end_evidence, outage_ms, CAST(boot_id AS TEXT) AS boot_id, \
             CAST(start_number AS BIGINT) AS start_number, host, listen, CAST(memory_bytes AS BIGINT) AS memory_bytes \
             FROM archon_mcp_boots ORDER BY number DESC LIMIT $1"))
            .bind(limit).fetch_all(db).await)
    }

    /// How many boots began since then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boots_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text("SELECT COUNT(*) FROM archon_mcp_boots WHERE started_at >= $1"))
            .bind(since).fetch_one(db).await)
    }

    /// How many protocol sessions went on in each boot from that one on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recovered_by_boot(&self, first: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        report!(self, db => sqlx::query_as(self.report_text(
            "SELECT CAST(boot AS BIGINT), COUNT(DISTINCT protocol_session_id) FROM archon_mcp_session_events \
             WHERE kind = 'recovered' AND boot >= $1 AND seq IS NOT NULL GROUP BY 1 ORDER BY 1"))
            .bind(first).fetch_all(db).await)
    }
}
