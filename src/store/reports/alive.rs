//! Which active rows are alive: a server would accept them now, or when it is started now.

use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::boots::SILENT_AFTER;
use crate::store::ending::Credits;
use crate::store::{Store, StoreError, Tables};
use std::time::Duration;

use super::report;

/// The longest outage that is credited unless the operator of the server chose otherwise (`--recover-window`).
const USUAL_RECOVER_WINDOW: Duration = Duration::from_hours(24);

/// A moment, and the outages that lie before it: what tells rows that are alive from rows that are over.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The moment.
    pub now: Timestamp,
    /// The outages, with the one that goes on now if no server is alive.
    pub credits: Credits,
}

impl Moment {
    /// The end of a row's time; `None` for rows that say none.
    pub fn end_of(&self, expires_at: Option<Timestamp>, boot: Option<i64>, began: Timestamp) -> Option<Timestamp> {
        expires_at.map(|at| self.credits.extend(at, boot, began))
    }

    /// The same in SQL, over the columns `expires_at` and `boot`: true of what is alive at this moment. Exactly at the end
    /// is alive.
    pub(super) fn alive_sql(&self) -> String {
        // Not `expires_at` itself: PostgreSQL takes its condition and that of the status for two that have nothing to do
        // with each other, expects hardly any row, and reads and sorts all that are active instead of the last used ones.
        let end = "COALESCE(expires_at, '9999-12-31')";
        let mut ways = vec![format!("{end} >= '{}'", self.now.sql_text())];
        let mut credit = Duration::ZERO;
        // A row has all outages coming since its boot: the last ones first, each adds to the credit of older rows.
        for (boot, outage) in self.credits.outages.iter().rev() {
            credit += *outage;
            let since = self.now.minus(credit).sql_text();
            ways.push(format!("(boot < {boot} AND {end} >= '{since}')"));
        }
        format!("({})", ways.join(" OR "))
    }
}

impl Store {
    /// What is alive at that moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn moment(&self, now: Timestamp) -> Result<Moment, StoreError> {
        if self.tables() == Tables::Original {
            return Ok(Moment { now, credits: Credits::default() });
        }
        let mut credits = self.credits(None).await?;
        let (last_alive, alive, number): (Option<Timestamp>, i64, Option<i64>) = report(async {
            read!(self, db => sqlx::query_as(
                "SELECT MAX(COALESCE(ended_at, heartbeat_at)), \
                 COUNT(CASE WHEN ended_at IS NULL AND heartbeat_at >= $1 THEN 1 END), MAX(number) FROM archon_mcp_boots")
                .bind(now.minus(SILENT_AFTER)).fetch_one(db).await)
        })
        .await?;
        if let (Some(last), Some(number), 0) = (last_alive, number, alive) {
            credits.outages.push((number + 1, now.since(last).min(USUAL_RECOVER_WINDOW)));
        }
        Ok(Moment { now, credits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_rows_have_more_outages_coming() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let now = Timestamp::from_millis(1_768_046_400_000);
        let credits = Credits { outages: vec![(2, minutes(10)), (5, minutes(60))], max_age: None };
        assert_eq!(
            Moment { now, credits }.alive_sql(),
            "(COALESCE(expires_at, '9999-12-31') >= '2026-01-10 12:00:00.000' \
             OR (boot < 5 AND COALESCE(expires_at, '9999-12-31') >= '2026-01-10 11:00:00.000') \
             OR (boot < 2 AND COALESCE(expires_at, '9999-12-31') >= '2026-01-10 10:50:00.000'))"
        );
    }
}
