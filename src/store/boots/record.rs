//! Boots: one row a run of `archonctl serve`, so that outages are known and a dead server's sums are finished. Each is one of
//! a line: on PostgreSQL those of one name, or of one host and address; a SQLite file has one server at a time, and is one.

use std::time::Duration;

use uuid::Uuid;

use super::ending::{Former, Seen, SeenEnd};
use super::heartbeat::{ASSUMED, BURY, DEAD_AFTER, SILENT_AFTER, signed};
use super::host::{self, Host, Presence};
use super::outages::Cause;
use crate::model::boot::End;
use crate::model::machine::{Kills, Memory};
use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, Dialect, Text, transact};
use crate::store::{Store, StoreError};

/// Later than any heartbeat: the last moment of the year 9999.
const END_OF_TIME: Timestamp = Timestamp::from_millis(253_402_300_799_999);
/// The line of a SQLite file whose server has no name.
const FILE: &str = "file";

/// The last boot of line `$1`.
const FORMER: &str = "SELECT number, CAST(start_number AS BIGINT) AS start_number, heartbeat_at, ended_at, end_cause, end_confidence, \
     end_evidence, CAST(pid AS BIGINT) AS pid, CAST(pid_started AS BIGINT) AS pid_started, host, kernel_boot, pid_namespace, \
     CAST(memory_limit_bytes AS BIGINT) AS memory_limit_bytes, CAST(memory_used_bytes AS BIGINT) AS memory_used_bytes, \
     memory_is_short, control_group, CAST(group_kills AS BIGINT) AS group_kills, CAST(machine_kills AS BIGINT) AS machine_kills \
     FROM archon_mcp_boots WHERE line = $1 ORDER BY number DESC LIMIT 1";
/// How a boot ended that left no word itself.
static JUDGE: Text = Text::new(|_| {
    format!(
        "UPDATE archon_mcp_boots SET end_cause = $2, end_confidence = $3, end_evidence = $4 \
         WHERE number = $1 AND ended_at IS NOT NULL AND {ASSUMED}"
    )
});
static END: Text = Text::new(|_| {
    format!(
        "UPDATE archon_mcp_boots SET ended_at = $2, heartbeat_at = $2, end_cause = $3, end_confidence = $4, \
         end_evidence = $5 WHERE number = $1 AND (ended_at IS NULL OR {ASSUMED})"
    )
});
const INSERT: &str = "INSERT INTO archon_mcp_boots (boot_id, pid, version, started_at, heartbeat_at, outage_ms, token_method, \
     session_timeout_ms, protocol_timeout_ms, max_age_ms, host, kernel_boot, pid_namespace, pid_started, listen, line, \
     start_number, control_group, group_kills, machine_kills, memory_bytes, memory_limit_bytes, memory_used_bytes, \
     memory_available_bytes, memory_is_short) \
     VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) \
     RETURNING number";

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
    /// Which of the database's servers it is.
    pub name: ServerName,
    /// How memory is.
    pub memory: Memory,
    /// Who was killed for want of it, up to now.
    pub kills: Kills,
    /// What whoever started it saw of the end of the one before.
    pub former: Option<(u32, SeenEnd)>,
    /// The rules that it runs by.
    pub rules: Rules,
}

/// Which of the servers of a database one is, over its restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerName {
    /// The name that its operator gave it.
    pub name: Option<String>,
    /// The address that it was told to listen on (port 0 is any), or `stdio`.
    pub address: Option<String>,
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
    /// Its number among all boots of the database; the first is 1.
    pub number: i64,
    /// Its number in its line; the first is 1.
    pub start_number: i64,
    /// How long no server had been alive before it; zero for the first.
    pub outage: Duration,
    /// How the boot before it in its line ended; `None` for the first.
    pub previous: Option<End>,
}

impl ServerName {
    /// The line in which its boots follow each other.
    fn line(&self, dialect: Dialect, here: &Host) -> String {
        match (&self.name, dialect) {
            (Some(name), _) => format!("name {name}"),
            (None, Dialect::Sqlite) => FILE.to_owned(),
            (None, Dialect::Postgres) => {
                let parts = [here.name.as_deref(), self.address.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

impl NewBoot {
    /// What it sees of the one before.
    fn seen<'a>(&'a self, former: &Former, here: &'a Host, dialect: Dialect) -> Seen<'a> {
        let end = self.former.filter(|(pid, _)| former.pid == Some(i64::from(*pid))).map(|(_, end)| end);
        let presence = match former.presence(here) {
            // Whatever it does, it does not have the file any more.
            Presence::There { .. } if dialect == Dialect::Sqlite => Presence::Unknown,
            presence => presence,
        };
        Seen { here, now: self.started_at, kills: &self.kills, end, presence }
    }
}

impl Former {
    /// Whether its process is there, as far as one can see from here.
    fn presence(&self, here: &Host) -> Presence {
        let is_near = self.kernel_boot.is_some()
            && (&self.kernel_boot, &self.pid_namespace) == (&here.kernel_boot, &here.pid_namespace);
        match self.pid.zip(self.pid_started).filter(|_| is_near) {
            Some((pid, started)) => host::presence(pid, started),
            None => Presence::Unknown,
        }
    }
}

impl Store {
    /// Records a boot, the outage before it, and how the one before it in its line ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_boot(&self, boot: &NewBoot) -> Result<Begun, StoreError> {
        self.bury_neighbours().await?;
        let (dialect, here, memory) = (self.dialect(), Host::here(), &boot.memory);
        // On SQLite the lock file proves that no other server is alive; on PostgreSQL only silence does.
        let (dead_since, silent_since) = match dialect {
            Dialect::Sqlite => (END_OF_TIME, END_OF_TIME),
            Dialect::Postgres => (boot.started_at.minus(DEAD_AFTER), boot.started_at.minus(SILENT_AFTER)),
        };
        let line = boot.name.line(dialect, &here);
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
            let former: Option<Former> = sqlx::query_as(FORMER).bind(&line).fetch_optional(&mut *tx).await?;
            let previous = former.as_ref().map(|former| former.end(&boot.seen(former, &here, dialect)));
            if let Some((former, end)) = former.as_ref().zip(previous.as_ref()).filter(|(_, end)| end.cause.is_over()) {
                sqlx::query(JUDGE.sql(dialect))
                    .bind(former.number).bind(end.cause.as_str()).bind(end.confidence.as_str()).bind(&end.evidence)
                    .execute(&mut *tx).await?;
            }
            let start_number = former.and_then(|former| former.start_number).unwrap_or(0) + 1;
            let number: i64 = sqlx::query_scalar(INSERT)
                .bind(DbUuid(boot.id)).bind(i64::from(std::process::id())).bind(boot.version).bind(boot.started_at)
                .bind(millis(outage)).bind(boot.token_method).bind(millis(boot.rules.session_timeout))
                .bind(millis(boot.rules.protocol_timeout)).bind(boot.rules.max_age.map(millis))
                .bind(&here.name).bind(&here.kernel_boot).bind(&here.pid_namespace).bind(here.pid_started)
                .bind(&boot.listen).bind(&line).bind(start_number)
                .bind(&boot.kills.group).bind(boot.kills.in_group).bind(boot.kills.on_machine)
                .bind(signed(memory.process_bytes)).bind(signed(memory.limit_bytes)).bind(signed(memory.used_bytes))
                .bind(signed(memory.available_bytes)).bind(memory.is_short())
                .fetch_one(&mut *tx).await?;
            if !outage.is_zero() {
                sqlx::query("INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot) \
                             VALUES ($1, $2, $3, $4, $5)")
                    .bind(boot.started_at.minus(outage)).bind(boot.started_at).bind(millis(outage))
                    .bind(Cause::NoServer.as_str()).bind(number).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(Begun { number, start_number, outage, previous })
        }.await)?;
        self.totals().know_clients_of(boot.started_at.day()).await?;
        self.writer().begin_boot(begun.number);
        Ok(begun)
    }

    /// Marks this boot as ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_boot(&self, number: i64, now: Timestamp, end: &End) -> Result<(), StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            sqlx::query(END.sql(dialect))
                .bind(number).bind(now).bind(end.cause.as_str()).bind(end.confidence.as_str()).bind(&end.evidence)
                .execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
