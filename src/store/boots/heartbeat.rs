//! Signs of life: a boot gives its own, and buries those that give none any more.

use std::time::Duration;

use super::host::{self, Host};
use crate::model::machine::{Kills, Memory};
use crate::model::timestamp::Timestamp;
use crate::store::backend::{Text, reread, transact};
use crate::store::{Store, StoreError};

/// A boot without a heartbeat for this long is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(45);
/// A boot without a heartbeat for this long has missed one: it may still come back, but if there is no other,
/// the time since is an outage.
pub(in crate::store) const SILENT_AFTER: Duration = Duration::from_secs(20);
/// Ends boots that have been silent since `$1`, but for `$2`. Those that somebody else is about to end, or that speak just
/// now, are left alone: two servers that take each other for dead must not wait for each other.
pub(super) static BURY: Text = Text::new(|dialect| {
    let lock = dialect.skip_locked();
    format!(
        "UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash', end_confidence = 'possible', \
         end_evidence = 'it gave no sign of life any more' WHERE number IN ( \
         SELECT number FROM archon_mcp_boots WHERE ended_at IS NULL AND heartbeat_at < $1 AND number <> $2 {lock})"
    )
});
/// Of boots that others took for dead: they may come back, and say themselves how they end.
pub(super) const ASSUMED: &str = "end_cause NOT IN ('clean', 'interrupt', 'panic')";

/// A sign of life of boot `$1`.
static BEAT: Text = Text::new(|_| {
    let risen = format!("CASE WHEN {ASSUMED} THEN NULL ELSE");
    format!(
        "UPDATE archon_mcp_boots SET heartbeat_at = $2, cleanup_at = COALESCE($3, cleanup_at), \
         ended_at = {risen} ended_at END, end_confidence = {risen} end_confidence END, \
         end_evidence = {risen} end_evidence END, end_cause = {risen} end_cause END, \
         memory_bytes = $4, memory_limit_bytes = $5, memory_used_bytes = $6, memory_available_bytes = $7, \
         memory_is_short = $8, control_group = $9, group_kills = $10, machine_kills = $11 WHERE number = $1"
    )
});

/// A heartbeat finishes the sums of boots that ended within this time: their last rows may have been committed after
/// others had taken them for dead. What is older is for the cleanup.
const FRESHLY_DEAD: Duration = Duration::from_mins(10);
/// How many chunks of their rows it folds at most, so that the next sign of life is not late.
const FOLD_CHUNKS: usize = 20;
const FOLD_CHUNK: i64 = 500;

/// What a boot says of itself with a sign of life.
#[derive(Debug, Clone, Default)]
pub struct Vitals {
    /// When it last ended what was past its time.
    pub cleaned_up: Option<Timestamp>,
    /// Memory.
    pub memory: Memory,
    /// Who was killed for want of it.
    pub kills: Kills,
}

impl Store {
    /// Says that this boot is alive, buries boots that are silent or whose process is gone, and finishes their sums. One
    /// that was taken for dead itself rises again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heartbeat(&self, number: i64, now: Timestamp, vitals: &Vitals) -> Result<(), StoreError> {
        let (dialect, memory, kills) = (self.dialect(), &vitals.memory, &vitals.kills);
        transact!(self, tx => async {
            sqlx::query(BEAT.sql(dialect))
                .bind(number).bind(now).bind(vitals.cleaned_up)
                .bind(signed(memory.process_bytes)).bind(signed(memory.limit_bytes)).bind(signed(memory.used_bytes))
                .bind(signed(memory.available_bytes)).bind(memory.is_short())
                .bind(&kills.group).bind(kills.in_group).bind(kills.on_machine)
                .execute(&mut *tx).await?;
            sqlx::query(BURY.sql(dialect)).bind(now.minus(DEAD_AFTER)).bind(number).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)?;
        let finished = async {
            self.bury_neighbours().await?;
            self.finish_the_dead(now.minus(FRESHLY_DEAD)).await
        };
        if let Err(error) = finished.await {
            // The sign of life is given; the next one tries this again.
            tracing::debug!(%error, "the sums of dead boots cannot be finished now");
        }
        Ok(())
    }

    /// Ends boots on this machine whose process is gone: a supervisor starts a killed server again long before its silence
    /// would tell. Returns their numbers.
    pub(super) async fn bury_neighbours(&self) -> Result<Vec<i64>, StoreError> {
        let here = Host::here();
        let (Some(kernel_boot), Some(pid_namespace)) = (&here.kernel_boot, &here.pid_namespace) else {
            return Ok(Vec::new());
        };
        let neighbours: Vec<(i64, i64, i64)> = reread!(self, db => sqlx::query_as(
            "SELECT number, CAST(pid AS BIGINT), CAST(pid_started AS BIGINT) FROM archon_mcp_boots \
             WHERE ended_at IS NULL AND kernel_boot = $1 AND pid_namespace = $2 \
             AND pid IS NOT NULL AND pid_started IS NOT NULL ORDER BY number")
            .bind(kernel_boot).bind(pid_namespace).fetch_all(db).await)?;
        let dead = neighbours.into_iter().filter(|(_, pid, started)| host::is_gone(*pid, *started));
        let dead: Vec<i64> = dead.map(|(number, ..)| number).collect();
        if !dead.is_empty() {
            transact!(self, tx => async {
                for number in &dead {
                    sqlx::query("UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash', \
                                 end_confidence = 'likely', end_evidence = 'its process is gone, and left no word' \
                                 WHERE number = $1 AND ended_at IS NULL").bind(number).execute(&mut *tx).await?;
                }
                Ok::<_, StoreError>(())
            }.await)?;
        }
        Ok(dead)
    }

    /// Folds what boots left unfolded that ended after that moment.
    async fn finish_the_dead(&self, since: Timestamp) -> Result<(), StoreError> {
        let mut chunks = FOLD_CHUNKS;
        for boot in self.totals().unfolded_since(since).await? {
            while chunks > 0 && self.totals().fold_leftovers(boot, FOLD_CHUNK).await? > 0 {
                chunks -= 1;
            }
        }
        Ok(())
    }
}

pub(super) fn signed(bytes: Option<u64>) -> Option<i64> {
    bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}
