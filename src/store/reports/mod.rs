//! What operators read: rows of sessions, requests and events, and sums, by filters. `queries` makes read models of them.
//!
//! A condition stands in the SQL only if it was asked for, so that each question goes by the index that answers it. What
//! was asked for is always bound, under numbers that are the same in every text of a file.

pub mod alive;
pub mod boots;
pub mod candidates;
pub mod clients;
pub mod events;
pub mod latest;
mod lines;
pub mod look;
pub mod migrations;
pub mod minutes;
pub mod page;
pub mod requests;
pub mod sessions;
pub mod standings;
pub mod story;
pub mod trends;
pub mod usage;

use sqlx::database::HasStatementCache;
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, Database, FromRow};

use super::Store;

impl Store {
    /// The text of a report. It names our tables; before it stands what gives somebody else's their shape.
    fn report_text(&self, sql: impl Into<String>) -> AssertSqlSafe<String> {
        let sql = sql.into();
        AssertSqlSafe(match self.foreign() {
            Some(foreign) => foreign.shaped(&sql),
            None => sql,
        })
    }

    /// The id of a request `r`, as it is shown.
    fn request_id(&self) -> &'static str {
        let has_ids = self.foreign().is_some_and(|foreign| foreign.has_request_ids);
        if has_ids { "r.request_id" } else { "CAST(r.id AS TEXT)" }
    }

    /// The column by which requests are in the order in which they were made. Nobody promises that others number them so.
    fn request_order(&self) -> &'static str {
        if self.is_foreign() { "timestamp" } else { "id" }
    }
}

/// A statement with a moment in it is another one each time: it would only push others out of those that are kept prepared.
fn once<'q, DB, O>(sql: AssertSqlSafe<String>) -> QueryAs<'q, DB, O, DB::Arguments>
where
    DB: Database + HasStatementCache,
    O: for<'r> FromRow<'r, DB::Row>,
{
    sqlx::query_as(sql).persistent(false)
}

/// The conditions that apply, joined.
fn all_of(conditions: &[(bool, &str)]) -> String {
    let asked: Vec<_> = conditions.iter().filter(|(asked, _)| *asked).map(|(_, sql)| *sql).collect();
    if asked.is_empty() { "TRUE".to_owned() } else { asked.join(" AND ") }
}

#[cfg(test)]
mod tests {
    use super::all_of;

    #[test]
    fn only_conditions_that_were_asked_for_stand_in_the_text() {
        assert_eq!(all_of(&[(true, "a = $1"), (false, "b = $2"), (true, "c = $3")]), "a = $1 AND c = $3");
        assert_eq!(all_of(&[(false, "a = $1")]), "TRUE");
    }
}
