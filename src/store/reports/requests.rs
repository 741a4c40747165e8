//! Request rows, by filters: the last ones, and those that come after.

use std::time::Duration;

use uuid::Uuid;

use super::all_of;
use crate::model::request::RequestStatus;
use crate::model::session::SessionRule;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{DbUuid, report};
use crate::store::{Store, StoreError};

/// Rows are numbered as they are written, which is after their call; how much older than the one before it a row can be.
const OUT_OF_ORDER: Duration = Duration::from_hours(1);

/// A handled request.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RequestRow {
    /// Its number; zero where rows have none.
    pub number: i64,
    /// Its id as text.
    pub id: String,
    /// When it arrived.
    pub timestamp: Option<Timestamp>,
    /// The Archon session.
    pub session_id: Option<String>,
    /// The protocol session.
    pub protocol_session_id: Option<String>,
    /// The client's type.
    pub client_type: Option<String>,
    /// Whose session it was.
    pub user_name: Option<String>,
    /// `tools/call`, `tools/list`, …
    pub method: Option<String>,
    /// The tool.
    pub tool_name: Option<String>,
    /// How it went.
    pub status: Option<Word<RequestStatus>>,
    /// How long the tool alone took, in microseconds.
    pub duration_us: Option<i64>,
    /// Tokens of the arguments.
    pub prompt_tokens: Option<i64>,
    /// Tokens of the result.
    pub completion_tokens: Option<i64>,
    /// In US dollars.
    pub estimated_cost: Option<f64>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// The rule that gave it its Archon session.
    pub session_rule: Option<Word<SessionRule>>,
    /// It began before its session ended and finished after.
    pub late: bool,
}

/// Whose requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An Archon session's.
    Session(Uuid),
    /// Those that a connection made in an Archon session.
    Within(Uuid, String),
    /// A connection's that have no Archon session.
    Unbound(String),
    /// A connection's, all of them.
    Connection(String),
}

const OF_CONNECTION: &str = "r.id IN (SELECT q.id FROM archon_mcp_requests q WHERE q.protocol_session_id = $2 AND q.session_id IN \
     (SELECT s.session_id FROM archon_mcp_sessions s WHERE s.protocol_session_id = $2 \
      UNION ALL SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $2) \
     UNION ALL SELECT q.id FROM archon_mcp_requests q WHERE q.session_id IS NULL AND q.protocol_session_id = $2)";

/// Which requests.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Whose.
    pub owner: Option<Owner>,
    /// Of that client type or name, in lower case.
    pub client: Option<String>,
    /// Of that user's name or address, in lower case.
    pub user: Option<String>,
    /// Of that tool.
    pub tool: Option<String>,
    /// That went like this.
    pub status: Option<RequestStatus>,
    /// Arrived since.
    pub since: Option<Timestamp>,
}

/// Which part of the rows that pass a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The last ones, up to this number.
    Last(i64),
    /// The first ones after a row's number, up to a limit.
    After(i64, i64),
}

/// Whether the first row of the upper half is older.
macro_rules! older {
    () => {
        "COALESCE((SELECT r.timestamp < $1 FROM archon_mcp_requests r WHERE r.id >= (low + high) / 2 AND r.id < high \
         ORDER BY r.id LIMIT 1), FALSE)"
    };
}

/// Times have no index, because each call would pay for it; numbers have, and they grow with time: so a moment is looked for
/// by halves. Everything before `low` is older, nothing from `high` on is.
const FIRST: &str = concat!(
    "WITH RECURSIVE half(low, high) AS (SELECT CAST(0 AS BIGINT), COALESCE(MAX(id), 0) + 1 FROM archon_mcp_requests ",
    "UNION ALL SELECT CASE WHEN ",
    older!(),
    " THEN (low + high) / 2 + 1 ELSE low END, CASE WHEN ",
    older!(),
    " THEN high ELSE (low + high) / 2 END FROM half WHERE low < high) SELECT low FROM half WHERE low >= high"
);

/// `{rows}` are rows of the table, `{id}` is what their id is.
const COLUMNS: &str = "SELECT r.id AS number, {id} AS id, r.timestamp, CAST(r.session_id AS TEXT) AS session_id, \
     r.protocol_session_id, COALESCE(s.client_type, p.client_type) AS client_type, \
     COALESCE(s.user_name, NULLIF(s.principal, ''), NULLIF(p.principal, '')) AS user_name, r.method, r.tool_name, r.status, \
     COALESCE(r.duration_us, CAST(r.duration_ms AS BIGINT) * 1000) AS duration_us, \
     CAST(r.prompt_tokens AS BIGINT) AS prompt_tokens, CAST(r.completion_tokens AS BIGINT) AS completion_tokens, \
     CAST(r.estimated_cost AS DOUBLE PRECISION) AS estimated_cost, r.error_message, r.session_rule, r.late \
     FROM {rows} r LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id \
     LEFT JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id";

/// The slowest call of a tool (`$1`) that arrived from one moment (`$2`) to another (`$3`), among the numbers from `$4` to
/// `$5`. Of several, the last.
pub(super) fn slowest_sql(id: &str, order: &str) -> String {
    let slowest = format!(
        "(SELECT * FROM archon_mcp_requests q WHERE q.tool_name = $1 AND q.timestamp >= $2 AND q.timestamp < $3 \
         AND q.id >= $4 AND q.id < $5 \
         ORDER BY COALESCE(q.duration_us, CAST(q.duration_ms AS BIGINT) * 1000, 0) DESC, q.{order} DESC LIMIT 1)"
    );
    COLUMNS.replace("{rows}", &slowest).replace("{id}", id)
}

impl RequestFilter {
    /// The conditions on rows alone: `$1` session, `$2` protocol session, `$5` tool, `$6` status, `$7` since, `$8` the
    /// first number since then; `$9` is the limit and `$10` the number after which.
    fn of_rows(&self, part: Part) -> String {
        all_of(&[
            (matches!(self.owner, Some(Owner::Session(_))), "r.session_id = $1"),
            (matches!(self.owner, Some(Owner::Within(..))), "r.session_id = $1 AND r.protocol_session_id = $2"),
            (matches!(self.owner, Some(Owner::Unbound(_))), "r.session_id IS NULL AND r.protocol_session_id = $2"),
            (matches!(self.owner, Some(Owner::Connection(_))), OF_CONNECTION),
            (self.tool.is_some(), "r.tool_name = $5"),
            (self.status.is_some(), "r.status = $6"),
            (self.since.is_some(), "r.timestamp >= $7"),
            (self.since.is_some(), "r.id >= $8"),
            (matches!(part, Part::After(..)), "r.id > $10"),
        ])
    }

    /// The conditions on their sessions: `$3` client, `$4` user.
    fn of_sessions(&self) -> String {
        let client = "(LOWER(COALESCE(s.client_type, p.client_type)) = $3 OR LOWER(COALESCE(s.client_name, p.client_name)) = $3)";
        let user =
            "(LOWER(s.user_name) = $4 OR LOWER(s.user_email) = $4 OR LOWER(COALESCE(s.principal, p.principal)) = $4)";
        all_of(&[(self.client.is_some(), client), (self.user.is_some(), user)])
    }

    fn sql(&self, id: &str, order: &str, part: Part) -> String {
        let columns = COLUMNS.replace("{id}", id);
        let direction = if matches!(part, Part::Last(_)) { "DESC" } else { "ASC" };
        let (rows, sessions) = (self.of_rows(part), self.of_sessions());
        let order = if matches!(part, Part::Last(_)) { order } else { "id" };
        let order = format!("ORDER BY r.{order} {direction}");
        if self.client.is_some() || self.user.is_some() {
            let columns = columns.replace("{rows}", "archon_mcp_requests");
            return format!("{columns} WHERE {rows} AND {sessions} {order} LIMIT $9");
        }
        // The few rows first, then their sessions: so nobody is tempted to read all sessions.
        let few = format!("(SELECT * FROM archon_mcp_requests r WHERE {rows} {order} LIMIT $9)");
        format!("{} {order}", columns.replace("{rows}", &few))
    }
}

impl Store {
    /// Requests that pass a filter, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn requests(&self, filter: &RequestFilter, part: Part) -> Result<Vec<RequestRow>, StoreError> {
        let (limit, after) = match part {
            Part::Last(limit) => (limit, 0),
            Part::After(number, limit) => (limit, number),
        };
        let sql = filter.sql(self.request_id(), self.request_order(), part);
        let (session, protocol) = match &filter.owner {
            Some(Owner::Session(id)) => (Some(DbUuid(*id)), None),
            Some(Owner::Within(session, id)) => (Some(DbUuid(*session)), Some(id.as_str())),
            Some(Owner::Unbound(id) | Owner::Connection(id)) => (None, Some(id.as_str())),
            None => (None, None),
        };
        let first = match filter.since {
            Some(since) => self.first_request_since(since).await?,
            None => 0,
        };
        let mut rows: Vec<RequestRow> = report!(self, db => sqlx::query_as(self.report_text(sql))
            .bind(session).bind(protocol).bind(filter.client.as_deref()).bind(filter.user.as_deref())
            .bind(filter.tool.as_deref()).bind(filter.status.map(RequestStatus::as_str)).bind(filter.since).bind(first)
            .bind(limit).bind(after).fetch_all(db).await)?;
        if matches!(part, Part::Last(_)) {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The number of the last request; zero when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_request(&self) -> Result<i64, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text("SELECT COALESCE(MAX(id), 0) FROM archon_mcp_requests")).fetch_one(db).await)
    }

    /// A number before which no request has arrived since that moment.
    pub(super) async fn first_request_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        if self.is_foreign() {
            return Ok(0);
        }
        self.first_request(since.minus(OUT_OF_ORDER)).await
    }

    /// The first number from which on requests have arrived since that moment, as far as they were written in that order.
    pub(super) async fn first_request(&self, since: Timestamp) -> Result<i64, StoreError> {
        report!(self, db => sqlx::query_scalar(self.report_text(FIRST)).bind(since).fetch_one(db).await)
    }
}
