//! Tables that are not ours, and how they look like ours: an original Archon's, and those that its guide prints.
//!
//! They are read as they stand. Each report names our tables; before its text stand common table expressions of those names,
//! in which the columns that others have get our types, and the others are NULL. Tables that only we have are empty.

use std::fmt::Write as _;

use sqlx::{PgConnection, SqliteConnection};

use super::dialect::Dialect;

/// Tables that are not ours, as they were found.
#[derive(Debug)]
pub(in crate::store) struct Foreign {
    /// Our tables, and what gives them their shape.
    shapes: Vec<(&'static str, String)>,
    /// Whether request rows have numbers that grow as they are written.
    pub(in crate::store) has_numbers: bool,
    /// Whether they have ids that are no numbers.
    pub(in crate::store) has_request_ids: bool,
}

/// The tables that others have, too.
const SESSIONS: &str = "archon_mcp_sessions";
const REQUESTS: &str = "archon_mcp_requests";

/// Columns by their type.
type Typed = &'static [(&'static str, &'static [&'static str])];

/// The tables that only we have, with the columns that reports ask for.
const OURS_ALONE: [(&str, Typed); 5] = [
    (
        "archon_mcp_protocol_sessions",
        &[
            (
                "TEXT",
                &[
                    "protocol_session_id",
                    "principal",
                    "protocol_version",
                    "client_type",
                    "client_name",
                    "client_version",
                    "client_capabilities",
                    "status",
                    "disconnect_reason",
                    "ended_by",
                ],
            ),
            ("UUID", &["session_id"]),
            ("TIMESTAMPTZ", &["connected_at", "last_activity", "stream_at", "expires_at", "disconnected_at"]),
            ("BIGINT", &["credited", "calls", "errors", "prompt_tokens", "completion_tokens"]),
            ("BOOLEAN", &["called"]),
        ],
    ),
    (
        "archon_mcp_session_events",
        &[
            ("BIGINT", &["id", "boot", "seq"]),
            ("TIMESTAMPTZ", &["at"]),
            ("TEXT", &["kind", "protocol_session_id", "reason", "actor"]),
            ("UUID", &["session_id"]),
        ],
    ),
    ("archon_mcp_outages", &[("BIGINT", &["number", "credit_ms"])]),
    (
        "archon_mcp_boots",
        &[
            (
                "BIGINT",
                &[
                    "number",
                    "pid",
                    "outage_ms",
                    "session_timeout_ms",
                    "protocol_timeout_ms",
                    "max_age_ms",
                    "start_number",
                    "memory_bytes",
                ],
            ),
            ("TEXT", &["version", "end_cause", "end_confidence", "end_evidence", "boot_id", "host", "listen"]),
            ("TIMESTAMPTZ", &["started_at", "heartbeat_at", "cleanup_at", "ended_at"]),
        ],
    ),
    ("archon_mcp_captures", &[("BIGINT", &["boot", "seq"]), ("TEXT", &["arguments", "answer"])]),
];

impl Foreign {
    /// Looks which columns the tables have.
    pub(in crate::store) async fn in_postgres(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let schema: String =
            sqlx::query_scalar("SELECT quote_ident(current_schema())").fetch_one(&mut *connection).await?;
        let columns = "SELECT column_name::text, udt_name::text, is_nullable <> 'NO' FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1";
        let mut found = [Vec::new(), Vec::new()];
        for (table, found) in [SESSIONS, REQUESTS].into_iter().zip(&mut found) {
            // Not prepared: behind a pooler a name may be taken.
            *found = sqlx::query_as(columns).persistent(false).bind(table).fetch_all(&mut *connection).await?;
        }
        Ok(Self::of(Dialect::Postgres, &schema, found))
    }

    /// The same of a SQLite file.
    pub(in crate::store) async fn in_sqlite(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let columns = "SELECT name, lower(type), \"notnull\" = 0 FROM pragma_table_info($1)";
        let mut found = [Vec::new(), Vec::new()];
        for (table, found) in [SESSIONS, REQUESTS].into_iter().zip(&mut found) {
            *found = sqlx::query_as(columns).bind(table).fetch_all(&mut *connection).await?;
        }
        Ok(Self::of(Dialect::Sqlite, "main", found))
    }

    fn of(dialect: Dialect, schema: &str, [sessions, requests]: [Vec<Column>; 2]) -> Self {
        let [sessions, requests] = [sessions, requests].map(|found| Columns { dialect, found });
        let mut shapes =
            vec![(SESSIONS, sessions.of_sessions(schema, &requests)), (REQUESTS, requests.of_requests(schema))];
        shapes.extend(OURS_ALONE.iter().map(|(table, columns)| (*table, empty(columns))));
        Self {
            shapes,
            has_numbers: requests.number().is_some(),
            has_request_ids: requests.find("request_id").is_some(),
        }
    }

    /// A text with the tables that it names in our shape.
    pub(in crate::store) fn shaped(&self, sql: &str) -> String {
        let mut tables = String::new();
        for (name, shape) in self.shapes.iter().filter(|(name, _)| sql.contains(name)) {
            let comma = if tables.is_empty() { "" } else { ", " };
            // Writing to a text does not fail. Inlined, so that conditions reach the indexes of the tables.
            _ = write!(tables, "{comma}{name} AS NOT MATERIALIZED ({shape})");
        }
        match sql.strip_prefix("WITH RECURSIVE ") {
            _ if tables.is_empty() => sql.to_owned(),
            Some(rest) => format!("WITH RECURSIVE {tables}, {rest}"),
            None => format!("WITH {tables} {sql}"),
        }
    }
}

/// A table without rows.
fn empty(columns: Typed) -> String {
    let columns = columns.iter().flat_map(|(kind, names)| names.iter().map(move |name| null(kind, name)));
    format!("SELECT {} WHERE FALSE", columns.collect::<Vec<_>>().join(", "))
}

fn null(kind: &str, name: &str) -> String {
    format!("CAST(NULL AS {kind}) AS {name}")
}

/// Name, type, and whether it may be NULL.
type Column = (String, String, bool);

/// The columns of a table `t` that is not ours.
struct Columns {
    dialect: Dialect,
    found: Vec<Column>,
}

impl Columns {
    fn find(&self, name: &str) -> Option<&Column> {
        self.found.iter().find(|(column, ..)| column == name)
    }

    /// The column, cast to that type unless it is absent.
    fn cast(&self, name: &str, kind: &str) -> String {
        match self.find(name) {
            Some((_, found, _)) if found.eq_ignore_ascii_case(kind) => format!("t.{name} AS {name}"),
            Some(_) => format!("CAST(t.{name} AS {kind}) AS {name}"),
            None => null(kind, name),
        }
    }

    /// The column as it is.
    fn plain(&self, name: &str, kind: &str) -> String {
        if self.find(name).is_some() { format!("t.{name} AS {name}") } else { null(kind, name) }
    }

    /// An id: SQLite has no type for it.
    fn id(&self, name: &str) -> String {
        match self.dialect {
            Dialect::Postgres => self.cast(name, "UUID"),
            Dialect::Sqlite => self.plain(name, "TEXT"),
        }
    }

    /// The moment in a column, if there is such a column.
    fn moment(&self, name: &str) -> Option<String> {
        let (_, kind, _) = self.find(name)?;
        Some(match (self.dialect, kind.as_str()) {
            (Dialect::Postgres, "timestamptz") => format!("t.{name}"),
            (Dialect::Postgres, "timestamp") => format!("t.{name} AT TIME ZONE 'UTC'"),
            (Dialect::Postgres, _) => format!("CAST(t.{name} AS TIMESTAMPTZ)"),
            (Dialect::Sqlite, _) => format!("strftime('%Y-%m-%d %H:%M:%f', t.{name})"),
        })
    }

    fn time(&self, name: &str) -> String {
        self.moment(name).map_or_else(|| null("TIMESTAMPTZ", name), |moment| format!("{moment} AS {name}"))
    }

    /// A moment that a row must have: the first of these columns that says one, or the beginning of time.
    fn first_time(&self, names: [&str; 2]) -> String {
        let [name, _] = names;
        if let (Some((_, _, false)), Some(moment)) = (self.find(name), self.moment(name)) {
            return format!("{moment} AS {name}");
        }
        let mut moments: Vec<_> = names.iter().filter_map(|name| self.moment(name)).collect();
        moments.push(match self.dialect {
            Dialect::Postgres => "CAST('1970-01-01 00:00:00+00' AS TIMESTAMPTZ)".to_owned(),
            Dialect::Sqlite => "'1970-01-01 00:00:00.000'".to_owned(),
        });
        format!("COALESCE({}) AS {name}", moments.join(", "))
    }

    /// What numbers the rows as they are written. SQLite does that itself.
    fn number(&self) -> Option<&'static str> {
        match (self.dialect, self.find("id")) {
            (Dialect::Sqlite, _) => Some("t.rowid"),
            (Dialect::Postgres, Some((_, kind, _))) if kind.starts_with("int") => Some("CAST(t.id AS BIGINT)"),
            (Dialect::Postgres, _) => None,
        }
    }

    /// What is idle there is active, and counts are counted from the rows.
    fn of_sessions(&self, schema: &str, requests: &Self) -> String {
        let status =
            self.find("status").map_or("'active'", |_| "COALESCE(NULLIF(CAST(t.status AS TEXT), 'idle'), 'active')");
        let sum = |what: &str, which: &str| {
            format!(
                "(SELECT {what} FROM {schema}.{REQUESTS} q WHERE q.session_id = t.session_id AND q.tool_name IS NOT NULL{which})"
            )
        };
        let tokens = |column: &str| match requests.find(column) {
            Some(_) => sum(&format!("CAST(COALESCE(SUM(q.{column}), 0) AS BIGINT)"), ""),
            None => "CAST(0 AS BIGINT)".to_owned(),
        };
        let text = |name: &str| self.cast(name, "TEXT");
        let columns = [
            self.id("session_id"),
            text("client_type"),
            text("client_version"),
            text("client_capabilities"),
            self.first_time(["connected_at", "last_activity"]),
            self.first_time(["last_activity", "connected_at"]),
            self.time("disconnected_at"),
            self.plain("total_duration", "BIGINT"),
            format!("{status} AS status"),
            text("disconnect_reason"),
            self.id("user_id"),
            text("user_email"),
            text("user_name"),
            null("TEXT", "protocol_session_id"),
            null("TEXT", "client_name"),
            null("TEXT", "principal"),
            null("TEXT", "ended_by"),
            null("TIMESTAMPTZ", "expires_at"),
            null("BIGINT", "credited"),
            format!("{} AS calls", sum("COUNT(*)", "")),
            format!("{} AS errors", sum("COUNT(*)", " AND q.status <> 'success'")),
            format!("{} AS prompt_tokens", tokens("prompt_tokens")),
            format!("{} AS completion_tokens", tokens("completion_tokens")),
        ];
        format!("SELECT {} FROM {schema}.{SESSIONS} t", columns.join(", "))
    }

    fn of_requests(&self, schema: &str) -> String {
        let text = |name: &str| self.cast(name, "TEXT");
        let columns = [
            format!("{} AS id", self.number().unwrap_or("CAST(0 AS BIGINT)")),
            text("request_id"),
            self.id("session_id"),
            text("method"),
            text("tool_name"),
            self.plain("prompt_tokens", "BIGINT"),
            self.plain("completion_tokens", "BIGINT"),
            self.plain("estimated_cost", "DOUBLE PRECISION"),
            self.time("timestamp"),
            self.plain("duration_ms", "BIGINT"),
            text("status"),
            text("error_message"),
            null("TEXT", "protocol_session_id"),
            null("BIGINT", "duration_us"),
            null("TEXT", "session_rule"),
            "FALSE AS late".to_owned(),
            null("BIGINT", "boot"),
            null("BIGINT", "seq"),
        ];
        format!("SELECT {} FROM {schema}.{REQUESTS} t", columns.join(", "))
    }
}
