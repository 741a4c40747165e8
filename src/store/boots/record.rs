//! Boots: one row a run of `archonctl serve`, so that outages are known and a dead server's sums are finished.

use std::time::Duration;

use uuid::Uuid;

use super::host::{self, Host};
use super::outages::Cause;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, Dialect, Text, reread, transact};
use crate::store::{Store, StoreError};

/// A boot without a heartbeat for this long is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(45);
/// A boot without a heartbeat for this long has missed one: it may still come back, but if there is no other,
/// the time since is an outage.
pub(in crate::store) const SILENT_AFTER: Duration = Duration::from_secs(20);
/// Ends boots that have been silent since `$1`, but for `$2`. Those that somebody else is about to end, or that speak just
/// now, are left alone: two servers that take each other for dead must not wait for each other.
static BURY: Text = Text::new(|dialect| {
    let lock = dialect.skip_locked();
    format!(
        "UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash' WHERE number IN ( \
         SELECT number FROM archon_mcp_boots WHERE ended_at IS NULL AND heartbeat_at < $1 AND number <> $2 {lock})"
    )
});

/// A heartbeat finishes the sums of boots that ended within this time: their last rows may have been committed after
/// others had taken them for dead. What is older is for the cleanup.
const FRESHLY_DEAD: Duration = Duration::from_mins(10);
/// How many chunks of their rows it folds at most, so that the next sign of life is not late.
const FOLD_CHUNKS: usize = 20;
const FOLD_CHUNK: i64 = 500;

/// Later than any heartbeat: the last moment of the year 9999.
const END_OF_TIME: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// A boot to be recorded.
#[derive(Debug, Clone)]
pub struct NewBoot {
    /// Its id.
    pub id: Uuid,
    /// Our version.
    pub version: &'static str,
    /// When it began.
    pub started_at: Timestamp,
    /// How tokens are counted.
    pub token_method: &'static str,
    /// The most of the time without a server that is given back to sessions.
    pub recover_window: Duration,
    /// Where it listens.
    pub listen: Option<String>,
    /// The rules that it runs by.
    pub rules: Rules,
}

/// The rules that a boot runs by, for whoever reads its sessions.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long an Archon session may be idle.
    pub session_timeout: Duration,
    /// How long a connection may be idle.
    pub protocol_timeout: Duration,
    /// How old a connection may become.
    pub max_age: Option<Duration>,
}

/// What the record says of a boot that has just begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its number; the first is 1.
    pub number: i64,
    /// How long no server had been alive before it; zero for the first.
    pub outage: Duration,
    /// How the boot before ended, of those that listened at the same place if there is one: `clean`, `crash`, …; `None`
    /// for the first, and while the one before may be alive.
    pub previous_end: Option<String>,
}

impl Store {
    /// Records a boot, and the outage before it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_boot(&self, boot: &NewBoot) -> Result<Begun, StoreError> {
        self.bury_neighbours().await?;
        let (dialect, here) = (self.dialect(), Host::here());
        // On SQLite the lock file proves that no other server is alive; on PostgreSQL only silence does.
        let (dead_since, silent_since) = match dialect {
            Dialect::Sqlite => (END_OF_TIME, END_OF_TIME),
            Dialect::Postgres => (boot.started_at.minus(DEAD_AFTER), boot.started_at.minus(SILENT_AFTER)),
        };
        let begun: Begun = transact!(self, tx => async {
            if dialect == Dialect::Postgres {
                // One after the other: of servers that start together, only the first saw the outage.
                sqlx::query("LOCK TABLE archon_mcp_boots IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
            }
            sqlx::query(BURY.sql(dialect)).bind(dead_since).bind(0i64).execute(&mut *tx).await?;
            let (last_alive, alive): (Option<Timestamp>, i64) = sqlx::query_as(
                // What lies ahead is of a clock that was wrong.
                "SELECT MAX(CASE WHEN COALESCE(ended_at, heartbeat_at) <= $2 THEN COALESCE(ended_at, heartbeat_at) END), \
                 COUNT(CASE WHEN ended_at IS NULL AND heartbeat_at >= $1 THEN 1 END) FROM archon_mcp_boots")
                .bind(silent_since).bind(boot.started_at).fetch_one(&mut *tx).await?;
            let outage = match last_alive {
                Some(at) if alive == 0 => boot.started_at.since(at).min(boot.recover_window),
                _ => Duration::ZERO,
            };
            let previous_end: Option<Option<String>> =
                sqlx::query_scalar(
                    "SELECT end_cause FROM archon_mcp_boots \
                     ORDER BY CASE WHEN host = $1 AND listen = $2 THEN 0 ELSE 1 END, number DESC LIMIT 1")
                    .bind(&here.name).bind(&boot.listen).fetch_optional(&mut *tx).await?;
            let number: i64 = sqlx::query_scalar(
                "INSERT INTO archon_mcp_boots (boot_id, pid, version, started_at, heartbeat_at, outage_ms, token_method, \
                 session_timeout_ms, protocol_timeout_ms, max_age_ms, host, kernel_boot, pid_namespace, pid_started, listen) \
                 VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING number")
                .bind(DbUuid(boot.id)).bind(i64::from(std::process::id())).bind(boot.version).bind(boot.started_at)
                .bind(millis(outage)).bind(boot.token_method).bind(millis(boot.rules.session_timeout))
                .bind(millis(boot.rules.protocol_timeout)).bind(boot.rules.max_age.map(millis))
                .bind(&here.name).bind(&here.kernel_boot).bind(&here.pid_namespace).bind(here.pid_started)
                .bind(&boot.listen)
                .fetch_one(&mut *tx).await?;
            if !outage.is_zero() {
                sqlx::query("INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot) \
                             VALUES ($1, $2, $3, $4, $5)")
                    .bind(boot.started_at.minus(outage)).bind(boot.started_at).bind(millis(outage))
                    .bind(Cause::NoServer.as_str()).bind(number).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(Begun { number, outage, previous_end: previous_end.flatten() })
        }.await)?;
        self.totals().know_clients_of(boot.started_at.day()).await?;
        self.writer().begin_boot(begun.number);
        Ok(begun)
    }

    /// Says that this boot is alive, buries boots that are silent or whose process is gone, and finishes their sums. One
    /// that was taken for dead itself rises again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heartbeat(
        &self,
        number: i64,
        now: Timestamp,
        cleaned_up: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            sqlx::query(
                "UPDATE archon_mcp_boots SET heartbeat_at = $2, cleanup_at = COALESCE($3, cleanup_at), \
                 ended_at = CASE WHEN end_cause = 'crash' THEN NULL ELSE ended_at END, \
                 end_cause = CASE WHEN end_cause = 'crash' THEN NULL ELSE end_cause END WHERE number = $1")
                .bind(number).bind(now).bind(cleaned_up).execute(&mut *tx).await?;
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
    async fn bury_neighbours(&self) -> Result<Vec<i64>, StoreError> {
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
                    sqlx::query("UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash' \
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

    /// Marks this boot as ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_boot(&self, number: i64, now: Timestamp, cause: &str) -> Result<(), StoreError> {
        transact!(self, tx => async {
            sqlx::query("UPDATE archon_mcp_boots SET ended_at = $2, heartbeat_at = $2, end_cause = $3 \
                         WHERE number = $1 AND (ended_at IS NULL OR end_cause = 'crash')")
                .bind(number).bind(now).bind(cause).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
