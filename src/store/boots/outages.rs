//! Time that was not idleness: no server was alive, a clock was set, the machine slept, the database took nothing. Each is a
//! row, and each session remembers up to which one the end of its time includes.

use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::store::backend::{Dialect, read, transact};
use crate::store::{Store, StoreError};

/// How many outages back are credited. A session that has been idle through more is idle.
const KEPT: i64 = 4096;
/// Less than this of an outage that other servers were alive in is not worth a row, in milliseconds.
const SHORTEST: i64 = 2000;
/// A heartbeat further ahead than this is of a clock that was wrong.
const AHEAD: Duration = Duration::from_mins(1);
/// Two servers that see one step of the database's clock measure it as different as this, in milliseconds.
const SAME_STEP: i64 = 5000;

/// Why time did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No server was alive.
    NoServer,
    /// The clock was set, or the machine slept.
    Clock,
    /// The process was stopped, or starved.
    Freeze,
    /// The database took no heartbeat.
    Database,
}

impl Cause {
    /// The word in the `cause` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoServer => "no_server",
            Self::Clock => "clock",
            Self::Freeze => "freeze",
            Self::Database => "database",
        }
    }
}

/// Time that a server saw go by and that was nobody's idleness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Since when.
    pub began: Timestamp,
    /// Until when.
    pub ended: Timestamp,
    /// By how much the ends of sessions move, in milliseconds; less than nothing where the clock was set back.
    pub credit_ms: i64,
    /// Why.
    pub cause: Cause,
}

/// An outage as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Outage {
    /// Its number; later ones have greater ones.
    pub number: i64,
    /// By how much the ends of sessions move, in milliseconds.
    pub credit_ms: i64,
    /// Until when it lasted.
    pub ended_at: Timestamp,
}

/// The outages that there were, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credits {
    /// The oldest first.
    pub outages: Vec<Outage>,
}

impl Credits {
    /// The number of the last one; rows that include less have credit to come.
    pub fn latest(&self) -> i64 {
        self.outages.last().map_or(0, |outage| outage.number)
    }

    /// The end of a session's time with what it has coming; a row typed by hand says of none that it has.
    pub fn extend(&self, expires_at: Timestamp, credited: Option<i64>) -> Timestamp {
        let Some(credited) = credited else { return expires_at };
        let later = self.outages.iter().rev().take_while(|outage| outage.number > credited);
        expires_at.shifted(later.map(|outage| outage.credit_ms).sum())
    }

    /// By how much clocks were set back after what a row includes.
    pub fn set_back_since(&self, credited: Option<i64>) -> Duration {
        let later = self.outages.iter().filter(|outage| credited.is_some_and(|credited| outage.number > credited));
        Duration::from_millis(later.map(|outage| outage.credit_ms.min(0)).sum::<i64>().unsigned_abs())
    }

    /// By how much clocks were set back in all, in milliseconds: rows may say that much too late an end.
    pub fn set_back(&self) -> Duration {
        let back: i64 = self.outages.iter().map(|outage| outage.credit_ms.min(0)).sum();
        Duration::from_millis(back.unsigned_abs())
    }
}

/// The last outage's number, whoever recorded it.
pub(in crate::store) const LATEST: &str = "(SELECT COALESCE(MAX(number), 0) FROM archon_mcp_outages)";

impl Store {
    /// The last outages.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credits(&self) -> Result<Credits, StoreError> {
        Ok(Credits { outages: self.outages_after(0).await? })
    }

    /// The last outages with greater numbers than that, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outages_after(&self, number: i64) -> Result<Vec<Outage>, StoreError> {
        let mut outages: Vec<Outage> = read!(self, db => sqlx::query_as(
            "SELECT number, credit_ms, ended_at FROM archon_mcp_outages WHERE number > $1 ORDER BY number DESC LIMIT $2")
            .bind(number).bind(KEPT).fetch_all(db).await)?;
        outages.reverse();
        Ok(outages)
    }

    /// Records time that was nobody's idleness, less what other servers were alive in. Nothing is recorded where they were
    /// alive all the while, or one of them has recorded the same step of the database's clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_lost(&self, boot: i64, known: i64, lost: Lost) -> Result<(), StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            if dialect == Dialect::Postgres {
                // One after the other: of servers that saw the same, only the first records it.
                sqlx::query("LOCK TABLE archon_mcp_outages IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
            }
            let others: Option<Timestamp> = sqlx::query_scalar(
                "SELECT MAX(COALESCE(ended_at, heartbeat_at)) FROM archon_mcp_boots \
                 WHERE number <> $1 AND COALESCE(ended_at, heartbeat_at) <= $2 AND $3")
                .bind(boot).bind(lost.ended.plus(AHEAD)).bind(dialect == Dialect::Postgres).fetch_one(&mut *tx).await?;
            let same: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM archon_mcp_outages WHERE number > $1 AND cause = 'clock' \
                 AND credit_ms BETWEEN $2 AND $3 AND boot <> $4")
                .bind(known).bind(lost.credit_ms - SAME_STEP).bind(lost.credit_ms + SAME_STEP).bind(boot)
                .fetch_one(&mut *tx).await?;
            let credit_ms = lost.without(others);
            // Its own, too: the answer to a COMMIT may have been lost.
            let own: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM archon_mcp_outages WHERE boot = $1 AND began_at = $2 AND cause = $3")
                .bind(boot).bind(lost.began).bind(lost.cause.as_str()).fetch_one(&mut *tx).await?;
            if credit_ms.abs() >= SHORTEST && own == 0 && !(lost.cause == Cause::Clock && same > 0) {
                sqlx::query("INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot) \
                             VALUES ($1, $2, $3, $4, $5)")
                    .bind(lost.began).bind(lost.ended).bind(credit_ms).bind(lost.cause.as_str()).bind(boot)
                    .execute(&mut *tx).await?;
            }
            // Whoever saw the same and comes next finds this server alive.
            sqlx::query("UPDATE archon_mcp_boots SET heartbeat_at = $2 WHERE number = $1")
                .bind(boot).bind(lost.ended).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }
}

impl Lost {
    /// What is left of the credit where other servers were last alive at that moment. A clock that was set back is set back
    /// for all.
    fn without(&self, others: Option<Timestamp>) -> i64 {
        match others {
            Some(at) if self.credit_ms > 0 && at > self.began => {
                self.credit_ms.min(self.ended.millis().saturating_sub(at.millis())).max(0)
            }
            _ => self.credit_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(number: i64, credit_ms: i64) -> Outage {
        Outage { number, credit_ms, ended_at: Timestamp::from_millis(0) }
    }

    #[test]
    fn credit_counts_what_a_row_does_not_include_yet() {
        let credits = Credits { outages: vec![outage(2, 600), outage(5, -100), outage(6, 3000)] };
        let end = Timestamp::from_millis(10_000);
        let extended = |credited| credits.extend(end, credited).millis();
        assert_eq!(
            [extended(Some(0)), extended(Some(2)), extended(Some(5)), extended(Some(6))],
            [13_500, 12_900, 13_000, 10_000]
        );
        assert_eq!(extended(None), 10_000, "typed by hand: no credit");
        assert_eq!((credits.latest(), credits.set_back()), (6, Duration::from_millis(100)));
    }

    #[test]
    fn what_other_servers_were_alive_in_is_not_lost() {
        let at = Timestamp::from_millis;
        let lost = Lost { began: at(1000), ended: at(61_000), credit_ms: 60_000, cause: Cause::Freeze };
        assert_eq!(lost.without(None), 60_000);
        assert_eq!(lost.without(Some(at(500))), 60_000);
        assert_eq!(lost.without(Some(at(50_000))), 11_000);
        assert_eq!(lost.without(Some(at(62_000))), 0);
        let back = Lost { credit_ms: -7_200_000, cause: Cause::Clock, ..lost };
        assert_eq!(back.without(Some(at(50_000))), -7_200_000);
    }
}
