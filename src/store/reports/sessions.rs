//! Sessions, as they are listed and shown. A client that has called no tool yet has a protocol session only: its row
//! stands among the others, under the id that is reserved for its Archon session.

use uuid::Uuid;

use super::alive::Moment;
use super::{all_of, once, report};
use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::codec::DbUuid;
use crate::store::{Store, StoreError, Tables};

/// A session of a list.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SessionRow {
    /// The Archon session's id, or the one reserved for it.
    pub session_id: String,
    /// The protocol session that was used last, if any is known.
    pub protocol_session_id: Option<String>,
    /// The revision that one agreed on.
    pub protocol_version: Option<String>,
    /// Whether the Archon session exists: its client has called a tool.
    pub called_tools: bool,
    /// The detected program.
    pub client_type: Option<String>,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// `active`, `disconnected`, `expired`; an original's `idle` is `active`.
    pub status: String,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The boot that last wrote it.
    pub boot: Option<i64>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<String>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// From the token file.
    pub user_id: Option<String>,
    /// From the token file.
    pub user_email: Option<String>,
    /// From the token file.
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

/// A protocol session as it is shown.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ProtocolRow {
    /// Its id.
    pub protocol_session_id: String,
    /// The revision agreed on.
    pub protocol_version: String,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// `active`, `disconnected`, `expired`.
    pub status: String,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The boot that last wrote it.
    pub boot: Option<i64>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<String>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// The rule that first gave one of its calls this Archon session.
    pub bound_by: Option<String>,
}

/// Where a session stands: what is active and over is told from what is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Active, and a server would accept it.
    Alive,
    /// Active, but past its time: no server has met it yet.
    Over,
    /// Ended by somebody.
    Disconnected,
    /// Ended because its time was over.
    Expired,
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
    /// At most so many of each standing, the most recently used first.
    pub limit: i64,
}

const ARCHON: &str = "s.session_id AS sid, CAST(s.session_id AS TEXT) AS session_id, TRUE AS called_tools, s.client_type, \
     s.client_name, s.client_version, s.status, s.connected_at, s.last_activity, s.expires_at, s.boot, s.disconnected_at, \
     s.disconnect_reason, s.ended_by, CAST(s.user_id AS TEXT) AS user_id, s.user_email, \
     COALESCE(s.user_name, NULLIF(s.principal, '')) AS user_name, \
     CAST(s.client_capabilities AS TEXT) AS client_capabilities, s.calls, s.errors, s.prompt_tokens, s.completion_tokens";

/// A column of the protocol session that was last used by the Archon session `x`. Not a join: PostgreSQL might read all
/// protocol sessions for it.
fn of_last_protocol(column: &str) -> String {
    format!(
        "(SELECT p.{column} FROM archon_mcp_protocol_sessions p WHERE p.session_id = x.sid \
         ORDER BY p.last_activity DESC LIMIT 1) AS {column}"
    )
}

/// What an original Archon has no column for is NULL, or counted from its rows.
const ORIGINAL: &str = "s.session_id AS sid, CAST(s.session_id AS TEXT) AS session_id, TRUE AS called_tools, s.client_type, \
     CAST(NULL AS TEXT) AS client_name, s.client_version, CASE s.status WHEN 'idle' THEN 'active' ELSE s.status END AS status, \
     s.connected_at, s.last_activity, CAST(NULL AS TIMESTAMPTZ) AS expires_at, CAST(NULL AS BIGINT) AS boot, \
     s.disconnected_at, s.disconnect_reason, CAST(NULL AS TEXT) AS ended_by, CAST(s.user_id AS TEXT) AS user_id, \
     s.user_email, s.user_name, CAST(s.client_capabilities AS TEXT) AS client_capabilities";

const ORIGINAL_COUNTS: &str = "CAST(NULL AS TEXT) AS protocol_session_id, CAST(NULL AS TEXT) AS protocol_version, r.calls, r.errors, r.prompt_tokens, r.completion_tokens";

const ORIGINAL_SUMS: &str = "CROSS JOIN LATERAL (SELECT COUNT(*) AS calls, \
     COUNT(*) FILTER (WHERE q.status <> 'success') AS errors, \
     CAST(COALESCE(SUM(q.prompt_tokens), 0) AS BIGINT) AS prompt_tokens, \
     CAST(COALESCE(SUM(q.completion_tokens), 0) AS BIGINT) AS completion_tokens \
     FROM archon_mcp_requests q WHERE q.session_id = x.sid AND q.tool_name IS NOT NULL) r";

const WAITING: &str = "CAST(session_id AS TEXT) AS session_id, protocol_session_id, protocol_version, FALSE AS called_tools, client_type, \
     client_name, client_version, status, connected_at, last_activity, expires_at, boot, disconnected_at, disconnect_reason, \
     ended_by, CAST(NULL AS TEXT) AS user_id, CAST(NULL AS TEXT) AS user_email, NULLIF(principal, '') AS user_name, \
     CAST(client_capabilities AS TEXT) AS client_capabilities, CAST(0 AS BIGINT) AS calls, CAST(0 AS BIGINT) AS errors, \
     CAST(0 AS BIGINT) AS prompt_tokens, CAST(0 AS BIGINT) AS completion_tokens";

const PROTOCOL: &str = "SELECT protocol_session_id, protocol_version, client_name, client_version, status, connected_at, \
     last_activity, expires_at, boot, disconnected_at, disconnect_reason, ended_by, \
     (SELECT r.session_rule FROM archon_mcp_requests r WHERE r.session_id = p.session_id \
      AND r.protocol_session_id = p.protocol_session_id AND r.session_rule IS NOT NULL ORDER BY r.id LIMIT 1) AS bound_by \
     FROM archon_mcp_protocol_sessions p WHERE p.session_id = $1 ORDER BY connected_at, protocol_session_id";

impl Standing {
    pub(super) fn sql(self, moment: &Moment, tables: Tables) -> String {
        match (self, tables) {
            (Self::Alive, Tables::Ours) => format!("status = 'active' AND {}", moment.alive_sql()),
            // What the index of expiry can tell comes first: hardly any row is past its time.
            (Self::Over, Tables::Ours) => {
                let now = moment.now.sql_text();
                format!("status = 'active' AND expires_at < '{now}' AND NOT {}", moment.alive_sql())
            }
            (Self::Alive, Tables::Original) => "status IN ('active', 'idle')".to_owned(),
            (Self::Over, Tables::Original) => "FALSE".to_owned(),
            (Self::Disconnected, _) => "status = 'disconnected'".to_owned(),
            (Self::Expired, _) => "status = 'expired'".to_owned(),
        }
    }
}

impl Page {
    /// The conditions besides the standing: `$1` client, `$2` user, `$3` since, `$4` idle since; `$5` is the limit.
    fn conditions(&self, client: &str, user: &str) -> String {
        all_of(&[
            (self.client.is_some(), client),
            (self.user.is_some(), user),
            (self.since.is_some(), "last_activity >= $3"),
            (self.idle_since.is_some(), "last_activity <= $4"),
        ])
    }
}

const CLIENT: &str = "(LOWER(client_type) = $1 OR LOWER(client_name) = $1)";
const USER: &str =
    "(LOWER(user_name) = $2 OR LOWER(user_email) = $2 OR LOWER(principal) = $2 OR CAST(user_id AS TEXT) = $2)";
const ORIGINAL_USER: &str = "(LOWER(user_name) = $2 OR LOWER(user_email) = $2 OR CAST(user_id AS TEXT) = $2)";

impl Store {
    /// The most recently used sessions of one standing, not sorted: Archon sessions, and clients that have called no tool.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(
        &self,
        standing: Standing,
        moment: &Moment,
        page: &Page,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let tables = self.tables();
        let is = standing.sql(moment, tables);
        let conditions = |client, user| format!("{is} AND {}", page.conditions(client, user));
        let archon = match tables {
            Tables::Ours => conditions(CLIENT, USER),
            Tables::Original => conditions("LOWER(client_type) = $1", ORIGINAL_USER),
        };
        let (order, limit) = ("last_activity DESC", "$5");
        let mut rows = self.session_rows(archon_page(&archon, order, limit, tables), page).await?;
        if tables == Tables::Ours {
            let waiting = waiting_page(&conditions(CLIENT, "LOWER(principal) = $2"), order, limit);
            rows.extend(self.session_rows(waiting, page).await?);
        }
        Ok(rows)
    }

    async fn session_rows(&self, sql: String, page: &Page) -> Result<Vec<SessionRow>, StoreError> {
        report(async {
            read!(self, db => once(sql)
                .bind(page.client.as_deref()).bind(page.user.as_deref()).bind(page.since).bind(page.idle_since)
                .bind(page.limit).fetch_all(db).await)
        })
        .await
    }

    /// The session of that id: an Archon session, or a client that has called no tool and has the id reserved.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_row(&self, id: Uuid) -> Result<Option<SessionRow>, StoreError> {
        let archon = with_protocol("WHERE session_id = $1", self.tables());
        let waiting = format!(
            "SELECT {WAITING} FROM archon_mcp_protocol_sessions WHERE session_id = $1 ORDER BY last_activity DESC LIMIT 1"
        );
        let one = async |sql: String| {
            report(async {
                read!(self, db => sqlx::query_as::<_, SessionRow>(sqlx::AssertSqlSafe(sql))
                    .bind(DbUuid(id)).fetch_optional(db).await)
            })
            .await
        };
        match one(archon).await? {
            None if self.tables() == Tables::Ours => one(waiting).await,
            row => Ok(row),
        }
    }

    /// The protocol sessions that are bound to an Archon session, or have its id reserved; the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn protocol_sessions_of(&self, id: Uuid) -> Result<Vec<ProtocolRow>, StoreError> {
        if self.tables() == Tables::Original {
            return Ok(Vec::new());
        }
        report(async { read!(self, db => sqlx::query_as(PROTOCOL).bind(DbUuid(id)).fetch_all(db).await) }).await
    }
}

/// The first so many Archon sessions that meet a condition, in that order; `limit` is a parameter. Not sorted.
pub(super) fn archon_page(conditions: &str, order: &str, limit: &str, tables: Tables) -> String {
    with_protocol(&format!("WHERE {conditions} ORDER BY {order} LIMIT {limit}"), tables)
}

/// Those Archon sessions, each with the protocol session that was used last.
fn with_protocol(which: &str, tables: Tables) -> String {
    match tables {
        Tables::Ours => format!(
            "SELECT x.*, {}, {} FROM (SELECT {ARCHON} FROM archon_mcp_sessions s {which}) x",
            of_last_protocol("protocol_session_id"),
            of_last_protocol("protocol_version")
        ),
        Tables::Original => format!(
            "SELECT x.*, {ORIGINAL_COUNTS} FROM (SELECT {ORIGINAL} FROM archon_mcp_sessions s {which}) x {ORIGINAL_SUMS}"
        ),
    }
}

/// The same of clients that have called no tool.
pub(super) fn waiting_page(conditions: &str, order: &str, limit: &str) -> String {
    format!(
        "SELECT {WAITING} FROM archon_mcp_protocol_sessions p WHERE NOT called AND {conditions} AND NOT EXISTS \
         (SELECT 1 FROM archon_mcp_sessions s WHERE s.session_id = p.session_id) ORDER BY {order} LIMIT {limit}"
    )
}
