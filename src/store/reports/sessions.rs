//! Sessions, as they are listed: connections, and Archon sessions that have none.

use uuid::Uuid;

use super::alive::{Moment, Time};
pub use super::lines::SessionState;
use super::lines::{Line, of_its_archon};
use super::{all_of, once};
use crate::model::event::Actor;
use crate::model::session::{EndReason, SessionStatus};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::backend::{DbUuid, report};
use crate::store::{Store, StoreError};

/// A session of a list.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SessionRow {
    /// The Archon session's id: the one that its connection is bound to, or that is reserved for its next one.
    pub session_id: String,
    /// The connection's id; none for an Archon session without one.
    pub protocol_session_id: Option<String>,
    /// The revision agreed on.
    pub protocol_version: Option<String>,
    /// Whether its client has called a tool.
    pub called_tools: bool,
    /// The detected program.
    pub client_type: Option<String>,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// As it is stored; an original's `idle` is `active`.
    pub status: Word<SessionStatus>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// When a stream of it was last known to be open.
    pub stream_at: Option<Timestamp>,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The last outage that this includes.
    pub credited: Option<i64>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it.
    pub ended_by: Option<Word<Actor>>,
    /// From the token file.
    pub user_id: Option<String>,
    /// From the token file.
    pub user_email: Option<String>,
    /// From the token file, or the principal.
    pub user_name: Option<String>,
    /// What the client said that it can do, as JSON.
    pub client_capabilities: Option<String>,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

impl SessionRow {
    /// What it says of its time.
    pub fn time(&self) -> Time {
        Time {
            began: self.connected_at,
            last_activity: self.last_activity,
            stream_at: self.stream_at,
            expires_at: self.expires_at,
            credited: self.credited,
        }
    }
}

/// Which sessions are listed.
#[derive(Debug, Clone)]
pub struct Page {
    /// Of that client type or name, in lower case.
    pub client: Option<String>,
    /// Of that user's name, address or id, in lower case.
    pub user: Option<String>,
    /// Used since.
    pub since: Option<Timestamp>,
    /// Not used after.
    pub idle_since: Option<Timestamp>,
    /// The maximum number of each standing, the most recently used first.
    pub limit: i64,
}

const CONNECTION: &str = "session_id AS sid, CAST(session_id AS TEXT) AS session_id, protocol_session_id, protocol_version, \
     (called OR calls > 0) AS called_tools, client_type, client_name, client_version, status, connected_at, last_activity, \
     stream_at, expires_at, credited, disconnected_at, disconnect_reason, ended_by, NULLIF(principal, '') AS owner, \
     CAST(client_capabilities AS TEXT) AS client_capabilities, calls, errors, prompt_tokens, completion_tokens";

const ALONE: &str = "CAST(session_id AS TEXT) AS session_id, CAST(NULL AS TEXT) AS protocol_session_id, \
     CAST(NULL AS TEXT) AS protocol_version, TRUE AS called_tools, client_type, client_name, client_version, status, \
     connected_at, last_activity, CAST(NULL AS TIMESTAMPTZ) AS stream_at, expires_at, credited, disconnected_at, \
     disconnect_reason, ended_by, CAST(user_id AS TEXT) AS user_id, user_email, \
     COALESCE(user_name, NULLIF(principal, '')) AS user_name, CAST(client_capabilities AS TEXT) AS client_capabilities, \
     calls, errors, prompt_tokens, completion_tokens";

/// A column of the Archon session of the connection `x`: the one that it is bound to, or the last one that it opened. Not a
/// join: PostgreSQL might read all Archon sessions for it.
fn of_archon(column: &str) -> String {
    format!(
        "COALESCE((SELECT {column} FROM archon_mcp_sessions s WHERE s.session_id = x.sid), \
         (SELECT {column} FROM archon_mcp_sessions s WHERE s.protocol_session_id = x.protocol_session_id \
          ORDER BY s.connected_at DESC LIMIT 1))"
    )
}

impl Line {
    /// The rows of its table that meet conditions, as they are listed. Not sorted.
    pub(super) fn rows(self, which: &str) -> String {
        let table = self.table();
        match self {
            Self::Connection => format!(
                "SELECT x.*, COALESCE({}, x.owner) AS user_name, {} AS user_email, {} AS user_id \
                 FROM (SELECT {CONNECTION} FROM {table} {which}) x",
                of_archon("s.user_name"),
                of_archon("s.user_email"),
                of_archon("CAST(s.user_id AS TEXT)")
            ),
            Self::Alone => format!("SELECT {ALONE} FROM {table} {which}"),
        }
    }
}

const CLIENT: &str = "(LOWER(client_type) = $1 OR LOWER(client_name) = $1)";
const USER: &str = "(LOWER(user_name) = $2 OR LOWER(user_email) = $2 OR CAST(user_id AS TEXT) = $2)";

impl Page {
    /// The conditions on a line: `$1` client, `$2` user, `$3` since, `$4` idle since; `$5` is the limit.
    fn conditions(&self, line: Line, standing: SessionState, moment: &Moment) -> String {
        let user = match line {
            Line::Connection => {
                format!("(LOWER(principal) = $2 OR {})", of_its_archon(&USER.replace("user_", "u.user_")))
            }
            Line::Alone => format!("(LOWER(principal) = $2 OR {USER})"),
        };
        all_of(&[
            (true, &line.standing(standing, moment)),
            (self.client.is_some(), CLIENT),
            (self.user.is_some(), &user),
            (self.since.is_some(), "last_activity >= $3"),
            (self.idle_since.is_some(), "last_activity <= $4"),
            (line == Line::Alone, line.own()),
        ])
    }
}

impl Store {
    /// The most recently used sessions of one standing, not sorted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(
        &self,
        standing: SessionState,
        moment: &Moment,
        page: &Page,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let mut rows = Vec::new();
        for line in Line::ALL {
            let conditions = page.conditions(line, standing, moment);
            let sql = line.rows(&format!("WHERE {conditions} ORDER BY last_activity DESC LIMIT $5"));
            let part: Vec<SessionRow> = report!(self, db => once(self.report_text(sql))
                .bind(page.client.as_deref()).bind(page.user.as_deref()).bind(page.since).bind(page.idle_since)
                .bind(page.limit).fetch_all(db).await)?;
            rows.extend(part);
        }
        Ok(rows)
    }

    /// How many sessions of one standing there are, whatever the page's limit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_count(&self, standing: SessionState, moment: &Moment, page: &Page) -> Result<i64, StoreError> {
        let mut sum = 0;
        for line in Line::ALL {
            let sql =
                format!("SELECT COUNT(*) FROM {} WHERE {}", line.table(), page.conditions(line, standing, moment));
            let (count,): (i64,) = report!(self, db => once(self.report_text(sql))
                .bind(page.client.as_deref()).bind(page.user.as_deref()).bind(page.since).bind(page.idle_since)
                .fetch_one(db).await)?;
            sum += count;
        }
        Ok(sum)
    }

    /// The connection of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection_row(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        let sql = Line::Connection.rows("WHERE protocol_session_id = $1");
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(id).fetch_optional(db).await)
    }

    /// The Archon session of that id, as a line of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn archon_row(&self, id: Uuid) -> Result<Option<SessionRow>, StoreError> {
        let sql = Line::Alone.rows("WHERE session_id = $1");
        report!(self, db => sqlx::query_as(self.report_text(sql)).bind(DbUuid(id)).fetch_optional(db).await)
    }
}
