//! Counts that `/health` and `/metrics` show.

use std::sync::LazyLock;

use crate::model::timestamp::Timestamp;
use crate::store::backend::{read, reread};
use crate::store::boots::LATEST;
use crate::store::{Store, StoreError};

/// How many sessions there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Live connections.
    pub protocol_active: i64,
    /// Those of them that were not used within the session timeout.
    pub protocol_idle: i64,
    /// Live Archon sessions.
    pub archon_active: i64,
}

/// Live protocol sessions, for the caps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Of everybody.
    pub all: u64,
    /// Of one principal.
    pub own: u64,
}

static LIVE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT COUNT(*), COUNT(CASE WHEN principal = $2 THEN 1 END) FROM archon_mcp_protocol_sessions \
         WHERE status = 'active' AND (expires_at >= $1 OR credited < {LATEST})"
    )
});

static COUNTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT a.n, p.n, p.idle FROM \
         (SELECT COUNT(*) AS n FROM archon_mcp_sessions WHERE status = 'active' \
          AND (expires_at >= $1 OR expires_at IS NULL OR credited < {LATEST})) a, \
         (SELECT COUNT(*) AS n, COUNT(CASE WHEN last_activity < $2 AND COALESCE(stream_at, last_activity) < $2 \
          THEN 1 END) AS idle FROM archon_mcp_protocol_sessions WHERE status = 'active' \
          AND (expires_at >= $1 OR credited < {LATEST})) p"
    )
});

impl Store {
    /// Counts live protocol sessions, in all and of one principal.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn live_counts(&self, now: Timestamp, principal: &str) -> Result<LiveCounts, StoreError> {
        let (all, own): (i64, i64) =
            reread!(self, db => sqlx::query_as(LIVE.as_str()).bind(now).bind(principal).fetch_one(db).await)?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(LiveCounts { all: count(all), own: count(own) })
    }

    /// Counts live sessions (by the partial indexes, so that months of ended ones cost nothing). A row past its time
    /// that no reaper has met yet is not live.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn session_counts(&self, now: Timestamp, used_since: Timestamp) -> Result<SessionCounts, StoreError> {
        let (archon_active, protocol_active, protocol_idle): (i64, i64, i64) =
            read!(self, db => sqlx::query_as(COUNTS.as_str()).bind(now).bind(used_since).fetch_one(db).await)?;
        Ok(SessionCounts { protocol_active, protocol_idle, archon_active })
    }
}
