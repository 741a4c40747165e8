//! Boots: the runs of servers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::model::boot::EndCause;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::StoreError;
use crate::store::boots::DEAD_AFTER;
use crate::store::reports::boots::BootRow;

/// A run of a server:
///
/// ```json
/// {"number": 3, "pid": 4242, "version": "0.1.0", "started_at": "2026-01-10T12:00:00.000Z", "heartbeat_at": "…",
///  "cleanup_at": "…", "ended_at": null, "end_cause": null, "outage_s": 12, "recovered": 40}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
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
    /// How long no server had been alive before it, in seconds.
    pub outage_s: i64,
    /// Protocol sessions from before it that were used in it; `None` where it was not asked.
    pub recovered: Option<i64>,
}

impl Boot {
    /// Whether it runs, as far as its heartbeats tell.
    pub fn is_up(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now.since(self.heartbeat_at) < DEAD_AFTER
    }
}

impl From<BootRow> for Boot {
    fn from(row: BootRow) -> Self {
        Self {
            number: row.number,
            pid: row.pid,
            version: row.version,
            started_at: row.started_at,
            heartbeat_at: row.heartbeat_at,
            cleanup_at: row.cleanup_at,
            ended_at: row.ended_at,
            end_cause: row.end_cause,
            outage_s: row.outage_ms / 1000,
            recovered: None,
        }
    }
}

impl Queries {
    /// The last boots, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boots(&self, limit: usize) -> Result<Vec<Boot>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self.store.boots(limit).await?.into_iter().map(Boot::from).collect())
    }

    /// The same, with how many sessions went on in each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boots_with_recovered(&self, limit: usize) -> Result<Vec<Boot>, StoreError> {
        let mut boots = self.boots(limit).await?;
        let first = boots.last().map_or(0, |boot| boot.number);
        let recovered: HashMap<i64, i64> = self.store.recovered_by_boot(first).await?.into_iter().collect();
        for boot in &mut boots {
            boot.recovered = Some(recovered.get(&boot.number).copied().unwrap_or(0));
        }
        Ok(boots)
    }

    /// How many boots began on the day of UTC in which that moment lies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn boots_today(&self) -> Result<i64, StoreError> {
        self.store.boots_since(self.clock.now().day()).await
    }
}
