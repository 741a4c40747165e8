//! How many sessions stand where: of the lines of lists.

use serde::{Deserialize, Serialize};

use super::alive::Moment;
use super::lines::Line;
use super::once;
use crate::store::backend::report;
use crate::store::{Store, StoreError};

/// Sessions that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Living {
    /// A server would accept them, and they are in use.
    pub active: i64,
    /// A server would accept them.
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

/// A client of one user with many open sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Crowd {
    /// The client's type.
    pub client_type: String,
    /// Whose; empty if unknown.
    pub user_name: String,
    /// How many.
    pub sessions: i64,
}

/// Of each kind of line.
fn living_sql(moment: &Moment) -> [String; 2] {
    Line::ALL.map(|line| line.living(moment))
}

impl Line {
    fn living(self, moment: &Moment) -> String {
        let (alive, used) = (self.alive(moment), self.used(moment));
        format!(
            "SELECT COUNT(CASE WHEN {alive} AND {used} THEN 1 END) AS active, \
             COUNT(CASE WHEN {alive} AND NOT {used} THEN 1 END) AS idle, \
             COUNT(CASE WHEN NOT {alive} THEN 1 END) AS past FROM {} WHERE {} AND {}",
            self.table(),
            Line::ACTIVE,
            self.own()
        )
    }
}

/// Of those that are in use: what is idle is nothing to worry about. `$1` is how many make a crowd.
fn crowds_sql(moment: &Moment) -> String {
    let of = |line: Line| {
        let user = match line {
            Line::Connection => "NULLIF(principal, '')",
            Line::Alone => "COALESCE(user_name, NULLIF(principal, ''))",
        };
        format!(
            "SELECT client_type, {user} AS user_name FROM {} WHERE {} AND {} AND {} AND {}",
            line.table(),
            Line::ACTIVE,
            line.used(moment),
            line.alive(moment),
            line.own()
        )
    };
    let open = Line::ALL.map(of);
    format!(
        "SELECT COALESCE(client_type, 'Unknown') AS client_type, COALESCE(user_name, '') AS user_name, \
         COUNT(*) AS sessions FROM ({}) open GROUP BY 1, 2 HAVING COUNT(*) >= $1 ORDER BY 3 DESC, 1, 2 LIMIT 10",
        open.join(" UNION ALL ")
    )
}

fn ended_sql() -> [String; 2] {
    Line::ALL.map(|line| {
        let count = |status: &str| {
            format!("(SELECT COUNT(*) FROM {} WHERE status = '{status}' AND {})", line.table(), line.own())
        };
        format!("SELECT {} AS disconnected, {} AS expired", count("disconnected"), count("expired"))
    })
}

impl Store {
    /// Counts the sessions that have not ended, by their indexes alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn living(&self, moment: &Moment) -> Result<Living, StoreError> {
        let mut sum = Living::default();
        for sql in living_sql(moment) {
            let part: Living = report!(self, db => once(self.report_text(sql)).fetch_one(db).await)?;
            sum.active += part.active;
            sum.idle += part.idle;
            sum.past += part.past;
        }
        Ok(sum)
    }

    /// Counts the live connections alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn living_connections(&self, moment: &Moment) -> Result<Living, StoreError> {
        let sql = Line::Connection.living(moment);
        report!(self, db => once(self.report_text(sql)).fetch_one(db).await)
    }

    /// Counts the sessions that have ended, by their index alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ended(&self) -> Result<Ended, StoreError> {
        let mut sum = Ended::default();
        for sql in ended_sql() {
            let part: Ended = report!(self, db => sqlx::query_as(self.report_text(sql)).fetch_one(db).await)?;
            sum.disconnected += part.disconnected;
            sum.expired += part.expired;
        }
        Ok(sum)
    }

    /// Clients of one type and user that have at least a number of open sessions, by their indexes alone; the most first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn crowds(&self, moment: &Moment, at_least: i64) -> Result<Vec<Crowd>, StoreError> {
        let sql = crowds_sql(moment);
        report!(self, db => once(self.report_text(sql)).bind(at_least).fetch_all(db).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::reports::alive::Rules;

    /// A row lies on a page of its own among a hundred thousand: to look at five thousand takes ten times as long.
    #[test]
    fn sqlite_counts_by_indexes_alone() {
        let connection = rusqlite::Connection::open_in_memory().expect("a database");
        connection.execute_batch(include_str!("../migrations/sqlite/0001_sessions.sql")).expect("a schema");
        connection.execute_batch(include_str!("../migrations/sqlite/0002_two_clocks.sql")).expect("a schema");
        let moment = Moment { outages: vec![(2, 60_000)], ..Moment::default() };
        let (living, ended) = (living_sql(&moment), ended_sql());
        let eldest = Rules { max_age: Some(std::time::Duration::from_hours(1)), ..Rules::default() };
        let limited = living_sql(&Moment { rules: eldest, ..moment.clone() });
        for sql in living.iter().chain(&limited).chain(&ended).chain([&crowds_sql(&moment)]) {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a statement");
            let params = vec![&1 as &dyn rusqlite::ToSql; plan.parameter_count()];
            let steps = plan.query_map(params.as_slice(), |row| row.get::<_, String>("detail")).expect("a plan");
            let steps: Vec<_> = steps.map(|step| step.expect("a step")).filter(|s| s.contains("archon_mcp")).collect();
            assert!(!steps.is_empty() && steps.iter().all(|step| step.contains("COVERING INDEX")), "{steps:?}\n{sql}");
        }
    }
}
