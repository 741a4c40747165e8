//! Sums of tool calls: from the rollups, from the counters of sessions, or from the very rows.

use std::time::Duration;

use crate::model::group::Group;
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{Dialect, report};
use crate::store::{Store, StoreError};

/// Calls of one group, status and latency.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UsageRow {
    /// The tool, the client, the id, the user, or the beginning of the hour or day as `YYYY-MM-DD HH:MM:SS.SSS`.
    pub name: String,
    /// How they went.
    pub status: Word<RequestStatus>,
    /// The latency bucket, or the exact latency in microseconds.
    pub latency: i64,
    /// How many.
    pub calls: i64,
    /// All their latencies, in microseconds.
    pub duration_us: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

/// All latency buckets of a group and status in one row: a month of hours has tens of thousands of buckets, and a row each
/// would cost more than all else.
#[derive(sqlx::FromRow)]
struct PackedRow {
    name: String,
    status: Word<RequestStatus>,
    /// `bucket calls,bucket calls,…`
    buckets: String,
    duration_us: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
}

impl PackedRow {
    /// A row a bucket; what is not told by bucket stands in the first.
    fn unpack(&self) -> impl Iterator<Item = UsageRow> {
        self.buckets.split(',').enumerate().filter_map(|(n, pair)| {
            let (latency, calls) = pair.split_once(' ')?;
            let once = |sum: i64| if n == 0 { sum } else { 0 };
            Some(UsageRow {
                name: self.name.clone(),
                status: self.status.clone(),
                latency: latency.parse().ok()?,
                calls: calls.parse().ok()?,
                duration_us: once(self.duration_us),
                prompt_tokens: once(self.prompt_tokens),
                completion_tokens: once(self.completion_tokens),
            })
        })
    }
}

/// The counters of a session, or of all sessions of a user.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CounterRow {
    /// The id, or the user.
    pub name: String,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

const SUMS: &str = "CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(duration_us) AS BIGINT) AS duration_us, \
     CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens, CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens";

/// Whose session it is, as far as it is known.
const USER: &str = "COALESCE(NULLIF(s.user_name, ''), NULLIF(s.user_email, ''), NULLIF(s.principal, ''), '')";

/// The first moment of an hour or day that is summed as a whole.
fn whole_from(since: Timestamp, step: Duration, begin: fn(Timestamp) -> Timestamp) -> Timestamp {
    if begin(since) == since { since } else { begin(since).plus(step) }
}

impl Store {
    /// Sums from the rollups by tool, client or hour, over all minutes from the one in which `since` lies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rolled_up(&self, group: Group, since: Timestamp) -> Result<Vec<UsageRow>, StoreError> {
        let minute = since.minute();
        let columns = "status, bucket, calls, duration_us, prompt_tokens, completion_tokens";
        // Whole hours or days, and the minutes before the first of them. Days outlive hours and minutes.
        let (day, whole_days) =
            (Duration::from_hours(24), "archon_mcp_rollups_daily WHERE day >= $2 AND tool_name <> ''");
        let (name, step, part, (whole, first)) = match group {
            Group::Hour => {
                let first = whole_from(minute, Duration::from_hours(1), Timestamp::hour);
                let whole = ("archon_mcp_rollups_hourly WHERE hour >= $2", first);
                (self.begin_text(group, "at"), "hour AS at", "minute AS at", whole)
            }
            Group::Day => {
                let whole = (whole_days, whole_from(minute, day, Timestamp::day));
                (self.begin_text(group, "at"), "day AS at", "minute AS at", whole)
            }
            _ => {
                let name = if group == Group::Client { "client_type" } else { "tool_name" };
                let (step, whole) = ("tool_name, client_type", (whole_days, whole_from(minute, day, Timestamp::day)));
                (name.to_owned(), step, step, whole)
            }
        };
        let sql = format!(
            "SELECT name, status, string_agg(CAST(bucket AS TEXT) || ' ' || CAST(calls AS TEXT), ',') AS buckets, {SUMS} \
             FROM (SELECT {name} AS name, status, bucket, {SUMS} FROM ( \
                 SELECT {step}, {columns} FROM {whole} UNION ALL \
                 SELECT {part}, {columns} FROM archon_mcp_rollups \
                 WHERE minute >= $1 AND minute < $2 AND tool_name <> '') r GROUP BY 1, 2, 3) g GROUP BY 1, 2"
        );
        let packed: Vec<PackedRow> = report!(self, db => sqlx::query_as(self.report_text(sql))
            .bind(minute).bind(first).fetch_all(db).await)?;
        Ok(packed.iter().flat_map(PackedRow::unpack).collect())
    }

    /// The counters of sessions used since then, by session or user; the busiest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counted(&self, group: Group, since: Timestamp, limit: i64) -> Result<Vec<CounterRow>, StoreError> {
        // Without the condition, where it lets all pass: SQLite would look for it in an index.
        let used = if since.millis() > 0 { "last_activity >= $1 AND" } else { "" };
        let sql = if group == Group::User {
            format!(
                "SELECT {USER} AS name, CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(errors) AS BIGINT) AS errors, \
                 CAST(SUM(prompt_tokens) AS BIGINT) AS prompt_tokens, \
                 CAST(SUM(completion_tokens) AS BIGINT) AS completion_tokens FROM archon_mcp_sessions s \
                 WHERE {used} calls > 0 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2"
            )
        } else {
            format!(
                "SELECT CAST(session_id AS TEXT) AS name, calls, errors, prompt_tokens, completion_tokens \
                 FROM archon_mcp_sessions s WHERE {used} calls > 0 ORDER BY calls DESC, session_id LIMIT $2"
            )
        };
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since).bind(limit).fetch_all(db).await)
    }

    /// The counters of all sessions used since then, added up; under no name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counted_in_all(&self, since: Timestamp) -> Result<CounterRow, StoreError> {
        let used = if since.millis() > 0 { "last_activity >= $1" } else { "TRUE" };
        let sql = format!(
            "SELECT '' AS name, CAST(COALESCE(SUM(calls), 0) AS BIGINT) AS calls, \
             CAST(COALESCE(SUM(errors), 0) AS BIGINT) AS errors, \
             CAST(COALESCE(SUM(prompt_tokens), 0) AS BIGINT) AS prompt_tokens, \
             CAST(COALESCE(SUM(completion_tokens), 0) AS BIGINT) AS completion_tokens \
             FROM archon_mcp_sessions WHERE {used}"
        );
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since).fetch_one(db).await)
    }

    /// Sums from the request rows that arrived since then, with exact latencies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn summed(&self, group: Group, since: Timestamp) -> Result<Vec<UsageRow>, StoreError> {
        let sessions = "LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id";
        let protocol = "LEFT JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id";
        let (name, joins) = match group {
            Group::Tool => ("r.tool_name".to_owned(), String::new()),
            Group::Session => ("COALESCE(CAST(r.session_id AS TEXT), '')".to_owned(), String::new()),
            Group::Hour | Group::Day => (self.begin_text(group, "r.timestamp"), String::new()),
            Group::Client => {
                ("COALESCE(s.client_type, p.client_type, 'Unknown')".to_owned(), format!("{sessions} {protocol}"))
            }
            Group::User => (USER.to_owned(), sessions.to_owned()),
        };
        let micros = "COALESCE(r.duration_us, CAST(r.duration_ms AS BIGINT) * 1000, 0)";
        let sql = format!(
            "SELECT {name} AS name, COALESCE(r.status, 'success') AS status, {micros} AS latency, COUNT(*) AS calls, \
             CAST(SUM({micros}) AS BIGINT) AS duration_us, \
             CAST(SUM(COALESCE(r.prompt_tokens, 0)) AS BIGINT) AS prompt_tokens, \
             CAST(SUM(COALESCE(r.completion_tokens, 0)) AS BIGINT) AS completion_tokens \
             FROM archon_mcp_requests r {joins} WHERE r.tool_name IS NOT NULL AND r.timestamp >= $1 AND r.id >= $2 \
             GROUP BY 1, 2, 3"
        );
        let first = self.first_request_since(since).await?;
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(since).bind(first).fetch_all(db).await)
    }

    /// An expression that yields the beginning of the hour or day of a time as SQLite writes it.
    pub(super) fn begin_text(&self, group: Group, column: &str) -> String {
        match (self.dialect(), group) {
            (Dialect::Sqlite, Group::Day) => format!("substr({column}, 1, 10) || ' 00:00:00.000'"),
            (Dialect::Sqlite, _) => format!("substr({column}, 1, 13) || ':00:00.000'"),
            (Dialect::Postgres, Group::Day) => {
                format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD 00:00:00.000')")
            }
            (Dialect::Postgres, _) => format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:00:00.000')"),
        }
    }
}
