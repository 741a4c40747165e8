//! How many sessions stand where. A client that has called no tool counts as one, as it does in lists.

use super::alive::Moment;
use super::sessions::Standing;
use super::{once, report};
use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::{Store, StoreError, Tables};

/// Sessions that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Living {
    /// A server would accept them.
    pub alive: i64,
    /// Those of them that were not used since the given moment.
    pub idle: i64,
    /// Past their time; no server has met them yet.
    pub past: i64,
}

/// Sessions that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Ended {
    /// By somebody.
    pub disconnected: i64,
    /// By their time.
    pub expired: i64,
}

/// Clients of one kind and user with many open sessions.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Crowd {
    /// The client's type.
    pub client_type: String,
    /// Whose.
    pub user_name: String,
    /// How many.
    pub sessions: i64,
}

/// What makes a protocol session stand for itself in lists.
pub(super) const WAITING: &str = "NOT called AND NOT EXISTS (SELECT 1 FROM archon_mcp_sessions s WHERE s.session_id = archon_mcp_protocol_sessions.session_id)";

/// The tables whose rows are listed, each with its own condition.
fn listed(tables: Tables) -> Vec<(&'static str, &'static str)> {
    let mut listed = vec![("archon_mcp_sessions", "TRUE")];
    if tables == Tables::Ours {
        listed.push(("archon_mcp_protocol_sessions", WAITING));
    }
    listed
}

/// Of each table. `$1` is the time since which a session that is not idle was used.
fn living_sql(moment: &Moment, tables: Tables) -> Vec<String> {
    let (active, alive) = match tables {
        Tables::Ours => ("status = 'active'", moment.alive_sql()),
        Tables::Original => ("status IN ('active', 'idle')", "TRUE".to_owned()),
    };
    let of = |(table, own): (&str, &str)| {
        format!(
            "SELECT COUNT(CASE WHEN {alive} THEN 1 END) AS alive, \
             COUNT(CASE WHEN {alive} AND last_activity <= $1 THEN 1 END) AS idle, \
             COUNT(CASE WHEN NOT {alive} THEN 1 END) AS past FROM {table} WHERE {active} AND {own}"
        )
    };
    listed(tables).into_iter().map(of).collect()
}

/// `$1` is how many make a crowd.
fn crowds_sql(moment: &Moment, tables: Tables) -> String {
    let alive = Standing::Alive.sql(moment, tables);
    let (principal, waiting) = match tables {
        Tables::Ours => (
            "NULLIF(principal, '')",
            format!(
                " UNION ALL SELECT client_type, NULLIF(principal, '') AS user_name FROM archon_mcp_protocol_sessions \
                 WHERE {alive} AND {WAITING}"
            ),
        ),
        Tables::Original => ("NULL", String::new()),
    };
    format!(
        "SELECT COALESCE(client_type, 'Unknown') AS client_type, COALESCE(user_name, '') AS user_name, \
         COUNT(*) AS sessions FROM (SELECT client_type, COALESCE(user_name, {principal}) AS user_name \
         FROM archon_mcp_sessions WHERE {alive}{waiting}) open GROUP BY 1, 2 HAVING COUNT(*) >= $1 \
         ORDER BY 3 DESC, 1, 2 LIMIT 10"
    )
}

impl Store {
    /// Counts the sessions that have not ended, by their indexes alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn living(&self, moment: &Moment, idle_since: Timestamp) -> Result<Living, StoreError> {
        let mut sum = Living::default();
        for sql in living_sql(moment, self.tables()) {
            let part: Living =
                report(async { read!(self, db => once(sql).bind(idle_since).fetch_one(db).await) }).await?;
            sum.alive += part.alive;
            sum.idle += part.idle;
            sum.past += part.past;
        }
        Ok(sum)
    }

    /// Counts the sessions that have ended, by their index alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ended(&self) -> Result<Ended, StoreError> {
        let mut sum = Ended::default();
        for (table, own) in listed(self.tables()) {
            let count = |status: &str| format!("(SELECT COUNT(*) FROM {table} WHERE status = '{status}' AND {own})");
            let sql = format!("SELECT {} AS disconnected, {} AS expired", count("disconnected"), count("expired"));
            let part: Ended =
                report(async { read!(self, db => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(db).await) })
                    .await?;
            sum.disconnected += part.disconnected;
            sum.expired += part.expired;
        }
        Ok(sum)
    }

    /// Clients of one type and user that have at least so many open sessions, by their indexes alone; the most first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn crowds(&self, moment: &Moment, at_least: i64) -> Result<Vec<Crowd>, StoreError> {
        let sql = crowds_sql(moment, self.tables());
        report(async { read!(self, db => once(sql).bind(at_least).fetch_all(db).await) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ending::Credits;

    /// A row lies on a page of its own among a hundred thousand: to look at five thousand takes ten times as long.
    #[test]
    fn sqlite_counts_by_indexes_alone() {
        let connection = rusqlite::Connection::open_in_memory().expect("a database");
        connection.execute_batch(include_str!("../migrations/sqlite/0001_sessions.sql")).expect("a schema");
        connection.execute_batch(include_str!("../migrations/sqlite/0002_two_clocks.sql")).expect("a schema");
        let credits = Credits { outages: vec![(2, std::time::Duration::from_mins(1))], max_age: None };
        let moment = Moment { now: Timestamp::from_millis(0), credits };
        let living = living_sql(&moment, Tables::Ours);
        for sql in living.iter().chain([&crowds_sql(&moment, Tables::Ours)]) {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a statement");
            let steps = plan.query_map(["1"], |row| row.get::<_, String>("detail")).expect("a plan");
            let steps: Vec<_> = steps.map(|step| step.expect("a step")).filter(|s| s.contains("archon_mcp")).collect();
            assert!(!steps.is_empty() && steps.iter().all(|step| step.contains("COVERING INDEX")), "{steps:?}\n{sql}");
        }
    }
}
