//! What is older than the operator wants it kept is removed.

use std::sync::PoisonError;
use std::time::Duration;

use super::Sessions;
use super::cleanup::CHUNK;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sessions::Pruned;

/// What one run removes at most, by its age: a clock that is wrong costs a day, not all.
const DAY: Duration = Duration::from_hours(24);
/// How long sums by minute and by hour are kept, if rows are not kept for longer. Those by day stay.
const SUMS_KEPT: Duration = Duration::from_hours(24 * 90);
/// A run of the retention sweeps this many chunks at least.
const SWEPT_AT_ONCE: u64 = 20;

impl Sessions {
    /// Removes what is older than the operator wants it kept: rows, events, ended sessions and captured words; and sums by
    /// minute and hour.
    ///
    /// # Errors
    /// [`StoreError`]; chunks before it are done.
    pub async fn prune(&self) -> Result<Pruned, StoreError> {
        let now = self.clock.now();
        let mut pruned = Pruned::default();
        if let Some(retention) = self.policy.retention {
            let before = self.prunable_before(now.minus(retention)).await?;
            while pruned.grew_by(self.store.prune(before, CHUNK).await?) {}
            self.sweep(before, &mut pruned).await?;
            *self.retained.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
            self.store.prune_outages(now.minus(self.policy.protocol_timeout).minus(retention)).await?;
            self.prune_sums(now.minus(retention.max(SUMS_KEPT)), &mut pruned).await?;
        }
        if let Some(retention) = self.policy.capture_retention {
            while pruned.grew_by(self.store.prune_captures(now.minus(retention), CHUNK).await?) {}
        }
        if !pruned.is_empty() {
            let Pruned { requests, events, sessions, captures, sums } = pruned;
            tracing::info!(
                "Removed old rows: {requests} requests, {events} events, {sessions} ended sessions, {captures} captured calls, {sums} sums"
            );
        }
        Ok(pruned)
    }

    /// No further than a day beyond where the last run, or the oldest row, was.
    async fn prunable_before(&self, wanted: Timestamp) -> Result<Timestamp, StoreError> {
        let last = *self.retained.before.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match last {
            Some(done) => done,
            None => self.store.oldest().await?.unwrap_or(wanted),
        };
        Ok(wanted.min(done.plus(DAY)))
    }

    /// Goes on through all rows, so that each is looked at once a day: the first of them may be those that may not go yet,
    /// because a clock was wrong when they were written.
    async fn sweep(&self, before: Timestamp, pruned: &mut Pruned) -> Result<(), StoreError> {
        let mut swept = *self.retained.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self.store.rows_to_sweep().await?;
        let part = self.policy.cleanup_interval.as_secs_f64() / DAY.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "about"
        )]
        let chunks = SWEPT_AT_ONCE + (rows as f64 * part) as u64 / CHUNK.unsigned_abs();
        for _ in 0..chunks {
            let (more, next) = self.store.prune_further(before, swept, CHUNK).await?;
            pruned.grew_by(more);
            swept = next.unwrap_or_default();
            *self.retained.swept.lock().unwrap_or_else(PoisonError::into_inner) = swept;
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// No further than a day beyond the oldest.
    async fn prune_sums(&self, wanted: Timestamp, pruned: &mut Pruned) -> Result<(), StoreError> {
        let Some(oldest) = self.store.oldest_sum().await? else { return Ok(()) };
        let before = wanted.min(oldest.plus(DAY));
        while pruned.grew_by(self.store.prune_sums(before, CHUNK).await?) {}
        Ok(())
    }
}
