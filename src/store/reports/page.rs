//! One page of sessions in any order: what a live view shows of a hundred thousand.

use super::alive::Moment;
use super::lines::{Line, SessionState, of_its_archon};
use super::sessions::SessionRow;
use super::{all_of, once};
use crate::model::timestamp::Timestamp;
use crate::store::backend::{containing, report};
use crate::store::{Store, StoreError};

/// By what a page is ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// When they were last used.
    #[default]
    Activity,
    /// When they began.
    Began,
    /// The end of their time.
    Expiry,
    /// The client's type.
    Client,
    /// Whose they are.
    User,
    /// Tool calls.
    Calls,
    /// Failed tool calls.
    Errors,
    /// Tokens of arguments and results.
    Tokens,
    /// Their id.
    Id,
    /// Where they stand.
    Status,
}

/// Which sessions, in which order.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Of these standings; none is all.
    pub standings: Vec<SessionState>,
    /// With these letters in the client's type, name or version, in lower case.
    pub client: Option<String>,
    /// With these letters in the user's name or address, in lower case.
    pub user: Option<String>,
    /// Whose id, of either kind, begins like that.
    pub id: Option<String>,
    /// That have called a tool with these letters in its name.
    pub tool: Option<String>,
    /// Not used since.
    pub idle_since: Option<Timestamp>,
    /// The least number of errors.
    pub errors: Option<i64>,
    /// By what, and whether the greatest come first.
    pub order: (Order, bool),
}

impl Order {
    fn column(self, line: Line) -> &'static str {
        match self {
            Self::Began => "connected_at",
            Self::Expiry => "expires_at",
            Self::Activity => "last_activity",
            Self::Client => "client_type",
            Self::User if line == Line::Connection => "principal",
            Self::User => "user_name",
            Self::Calls => "calls",
            Self::Errors => "errors",
            Self::Tokens => "(prompt_tokens + completion_tokens)",
            Self::Status => "status",
            Self::Id if line == Line::Connection => "protocol_session_id",
            Self::Id => "session_id",
        }
    }
}

const CLIENT: &str = "(LOWER(client_type) LIKE $1 ESCAPE '!' OR LOWER(client_name) LIKE $1 ESCAPE '!' \
     OR LOWER(client_version) LIKE $1 ESCAPE '!')";
const USER: &str = "(LOWER(user_name) LIKE $2 ESCAPE '!' OR LOWER(user_email) LIKE $2 ESCAPE '!')";
const PRINCIPAL: &str = "LOWER(principal) LIKE $2 ESCAPE '!'";
const TOOL: &str = "IN (SELECT r.{id} FROM archon_mcp_requests r WHERE LOWER(r.tool_name) LIKE $4 ESCAPE '!')";

impl Window {
    /// `$1` client, `$2` user, `$3` id, `$4` tool, `$5` idle since, `$6` errors; `$7` is the limit.
    fn conditions(&self, line: Line, moment: &Moment) -> String {
        let user = match line {
            Line::Connection => format!("({PRINCIPAL} OR {})", of_its_archon(&USER.replace("user_", "u.user_"))),
            Line::Alone => format!("({PRINCIPAL} OR {USER})"),
        };
        let id = match line {
            Line::Connection => {
                "(protocol_session_id LIKE $3 OR CAST(session_id AS TEXT) LIKE $3 OR protocol_session_id IN \
                 (SELECT s.protocol_session_id FROM archon_mcp_sessions s WHERE CAST(s.session_id AS TEXT) LIKE $3))"
            }
            Line::Alone => "CAST(session_id AS TEXT) LIKE $3",
        };
        let key = if line == Line::Connection { "protocol_session_id" } else { "session_id" };
        let errors = self.errors.is_some_and(|errors| errors > 0);
        all_of(&[
            (true, &line.standings(&self.standings, moment)),
            (self.client.is_some(), CLIENT),
            (self.user.is_some(), &user),
            (self.id.is_some(), id),
            (self.tool.is_some(), &format!("{key} {}", TOOL.replace("{id}", key))),
            (self.idle_since.is_some(), "last_activity <= $5"),
            (errors, "errors >= $6"),
            (line == Line::Alone, line.own()),
        ])
    }
}

impl Store {
    /// The first sessions of each kind of line, up to a limit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn window(&self, moment: &Moment, window: &Window, limit: i64) -> Result<Vec<SessionRow>, StoreError> {
        let direction = if window.order.1 { "DESC" } else { "ASC" };
        let mut rows = Vec::new();
        for line in Line::ALL {
            let (conditions, column) = (window.conditions(line, moment), window.order.0.column(line));
            let sql = line.rows(&format!("WHERE {conditions} ORDER BY {column} {direction} LIMIT $7"));
            let part: Vec<SessionRow> = report!(self, db => once(self.report_text(sql))
                .bind(window.client.as_deref().map(containing)).bind(window.user.as_deref().map(containing))
                .bind(window.id.as_ref().map(|id| format!("{id}%"))).bind(window.tool.as_deref().map(containing))
                .bind(window.idle_since).bind(window.errors).bind(limit).fetch_all(db).await)?;
            rows.extend(part);
        }
        Ok(rows)
    }
}
