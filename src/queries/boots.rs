//! Boots: the runs of servers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::model::boot::{Confidence, EndCause};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::StoreError;
use crate::store::boots::DEAD_AFTER;
use crate::store::reports::boots::BootRow;

/// A run of a server:
///
/// ```json
/// {"number": 3, "start_number": 2, "instance": "446dc206", "pid": 4242, "version": "0.3.0", "host": "web-1",
///  "listen": "127.0.0.1:8051", "started_at": "2026-01-10T12:00:00.000Z", "heartbeat_at": "…", "cleanup_at": "…",
///  "ended_at": null, "end_cause": null, "end_confidence": null, "end_evidence": null, "outage_s": 12,
///  "memory_bytes": 21233664, "recovered": 40}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Its number; the first is 1.
    pub number: i64,
    /// Its number in its line of succession: of the servers of that name, or at that address.
    pub start_number: Option<i64>,
    /// The first characters of its id.
    pub instance: Option<String>,
    /// The process.
    pub pid: Option<i64>,
    /// The program's version.
    pub version: String,
    /// The machine that it ran on.
    pub host: Option<String>,
    /// Where it listened.
    pub listen: Option<String>,
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
    /// How long no server had been alive before it, in seconds.
    pub outage_s: i64,
    /// What it had in memory at its last heartbeat, in bytes.
    pub memory_bytes: Option<i64>,
    /// Protocol sessions from before it that were used in it; `None` where it was not asked.
    pub recovered: Option<i64>,
}

impl Boot {
    /// Whether it ended without being told to.
    pub fn ended_by_itself(&self) -> bool {
        let was_told = |cause: &Word<EndCause>| cause.is(EndCause::Clean) || cause.is(EndCause::Interrupt);
        self.end_cause.as_ref().is_some_and(|cause| !was_told(cause))
    }

    /// Whether it runs, as far as its heartbeats tell.
    pub fn is_up(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now.since(self.heartbeat_at) < DEAD_AFTER
    }
}

impl From<BootRow> for Boot {
    fn from(row: BootRow) -> Self {
        Self {
            number: row.number,
            start_number: row.start_number,
            instance: row.boot_id.map(|id| id.chars().take(8).collect()),
            host: row.host,
            listen: row.listen,
            end_confidence: row.end_confidence,
            end_evidence: row.end_evidence,
            memory_bytes: row.memory_bytes,
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
