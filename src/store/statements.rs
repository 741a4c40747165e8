//! Statements over many rows at once, one text for both databases: the rows come as one JSON array in `$1`.
//!
//! `{rows}` (or `{joined rows}`, where they meet a table) becomes a table `j` with the listed columns in the types of the
//! target table. On PostgreSQL that is `jsonb_populate_recordset` over the table's own row type; on SQLite, `json_each`
//! with one extraction a column.

use serde::Serialize;

/// Which SQL the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The rows as a JSON array; `None` when there are none. Rows of texts and numbers always serialise.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Option<String> {
    if rows.is_empty() { None } else { serde_json::to_string(rows).ok() }
}

/// A statement over the rows of a JSON array.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowStatement {
    /// The table whose row type the array's objects have.
    pub(super) table: &'static str,
    /// The columns that are read from the objects.
    pub(super) columns: &'static [&'static str],
    /// The statement, with `{rows}` or `{joined rows}`, `{columns}`, `{table}`, `{finished}`: when request `r` was, and
    /// `{+}`: a sign with which SQLite does not begin with the index of that column, and read the array for each row.
    pub(super) text: &'static str,
}

impl RowStatement {
    pub(super) fn sql(&self, dialect: Dialect) -> String {
        let (rows, joined) = match dialect {
            Dialect::Postgres => {
                let rows = format!("jsonb_populate_recordset(NULL::{}, $1::jsonb)", self.table);
                // PostgreSQL takes any such function for a hundred rows, and would read a whole table to join them; the
                // limit tells it how many there are.
                let joined = format!("(SELECT * FROM {rows} LIMIT jsonb_array_length($1::jsonb)) AS j");
                (format!("{rows} AS j"), joined)
            }
            Dialect::Sqlite => {
                let columns: Vec<_> = self.columns.iter().map(|c| format!("value->>'{c}' AS {c}")).collect();
                let rows = format!("(SELECT {} FROM json_each($1)) AS j", columns.join(", "));
                (rows.clone(), rows)
            }
        };
        let finished = match dialect {
            Dialect::Postgres => "r.timestamp + r.duration_us * INTERVAL '1 microsecond'",
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', r.timestamp, (r.duration_us / 1000000.0) || ' seconds')",
        };
        self.text
            .replace("{flushed}", FLUSHED)
            .replace("{moves}", MOVES)
            .replace("{rows}", &rows)
            .replace("{joined rows}", &joined)
            .replace("{columns}", &self.columns.join(", "))
            .replace("{+}", if dialect == Dialect::Sqlite { "+" } else { "" })
            .replace("{table}", self.table)
            .replace("{finished}", finished)
    }
}

pub(super) const INSERT_ONCE: &str =
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} WHERE true ON CONFLICT DO NOTHING";

/// `initialize`.
pub(super) const OPEN: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: &[
        "protocol_session_id",
        "session_id",
        "principal",
        "protocol_version",
        "client_type",
        "client_name",
        "client_version",
        "client_info",
        "client_capabilities",
        "connected_at",
        "last_activity",
        "expires_at",
        "boot",
        "credited",
    ],
    text: INSERT_ONCE,
};

/// A session that `initialize` did not give out.
pub(super) const WITHDRAW: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: &["protocol_session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    text: "UPDATE archon_mcp_protocol_sessions AS t SET status = j.status, disconnected_at = j.disconnected_at, \
           disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
           WHERE t.protocol_session_id = j.protocol_session_id AND {+}t.status = 'active'",
};

/// The Archon session of a first tool call …
pub(super) const CREATE: RowStatement = RowStatement {
    table: "archon_mcp_sessions",
    columns: &[
        "session_id",
        "protocol_session_id",
        "client_type",
        "client_version",
        "client_capabilities",
        "connected_at",
        "last_activity",
        "user_id",
        "user_email",
        "user_name",
        "metadata",
        "principal",
        "client_name",
        "expires_at",
        "boot",
        "credited",
    ],
    text: INSERT_ONCE,
};

/// … is bound to its protocol session, unless that has ended while this waited …
pub(super) const BIND: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: &["protocol_session_id", "session_id"],
    text: "UPDATE archon_mcp_protocol_sessions AS p SET session_id = j.session_id, called = TRUE FROM {joined rows} \
           WHERE p.protocol_session_id = j.protocol_session_id AND {+}p.status = 'active' \
           AND (p.session_id <> j.session_id OR NOT p.called)",
};

/// … in which case its end is the Archon session's too, if nobody else alive is bound to that …
pub(super) const END_ORPHANS: RowStatement = RowStatement {
    table: "archon_mcp_sessions",
    columns: &["protocol_session_id", "session_id"],
    text: "UPDATE archon_mcp_sessions AS s SET status = p.status, disconnected_at = p.disconnected_at, \
           disconnect_reason = p.disconnect_reason, ended_by = p.ended_by \
           FROM {joined rows} JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = j.protocol_session_id \
           WHERE s.session_id = j.session_id AND {+}s.status = 'active' AND {+}p.status <> 'active' \
           AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions o \
                           WHERE o.session_id = j.session_id AND o.status = 'active')",
};

/// … and owns the requests from before it existed.
pub(super) const ADOPT: RowStatement = RowStatement {
    table: "archon_mcp_requests",
    columns: &["protocol_session_id", "session_id"],
    text: "UPDATE archon_mcp_requests AS r SET session_id = p.session_id \
           FROM {joined rows} JOIN archon_mcp_protocol_sessions p ON p.session_id = j.session_id \
           WHERE r.protocol_session_id = p.protocol_session_id AND r.session_id IS NULL",
};

/// The words of handled requests.
pub(super) const CAPTURE: RowStatement = RowStatement {
    table: "archon_mcp_captures",
    columns: &["boot", "seq", "at", "arguments", "answer"],
    text: INSERT_ONCE,
};

/// Events that no trigger writes.
pub(super) const EVENT: RowStatement = RowStatement {
    table: "archon_mcp_session_events",
    columns: &["at", "kind", "session_id", "protocol_session_id", "reason", "actor", "boot", "seq"],
    text: INSERT_ONCE,
};

/// What a flush does to Archon sessions that are touched or counted. Touches move forward only, and only what is active; after
/// an outage that a row does not know of its times may be on a new scale, because a clock was set.
pub(super) const FLUSH_ARCHON: RowStatement = RowStatement {
    table: "archon_mcp_sessions",
    columns: FLUSHED_ARCHON,
    text: "UPDATE archon_mcp_sessions AS t SET {flushed} FROM {joined rows} \
           WHERE t.session_id = j.session_id AND (j.calls > 0 OR {moves})",
};

/// The same for protocol sessions.
pub(super) const FLUSH_PROTOCOL: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: FLUSHED_PROTOCOL,
    text: "UPDATE archon_mcp_protocol_sessions AS t SET {flushed} FROM {joined rows} \
           WHERE t.protocol_session_id = j.protocol_session_id AND (j.calls > 0 OR {moves})",
};

const FLUSHED_ARCHON: &[&str] = &[
    "session_id",
    "last_activity",
    "expires_at",
    "boot",
    "credited",
    "calls",
    "errors",
    "prompt_tokens",
    "completion_tokens",
];
const FLUSHED_PROTOCOL: &[&str] = &[
    "protocol_session_id",
    "last_activity",
    "expires_at",
    "boot",
    "credited",
    "calls",
    "errors",
    "prompt_tokens",
    "completion_tokens",
];

/// Whether a touch moves its row.
const MOVES: &str = "({+}t.status = 'active' AND (t.credited < j.credited OR {+}t.last_activity < j.last_activity))";

/// What a flush sets.
const FLUSHED: &str = "last_activity = CASE WHEN {moves} THEN j.last_activity ELSE t.last_activity END, \
     expires_at = CASE WHEN {moves} THEN j.expires_at ELSE t.expires_at END, \
     boot = CASE WHEN {moves} THEN j.boot ELSE t.boot END, \
     credited = CASE WHEN {moves} THEN j.credited ELSE t.credited END, \
     calls = t.calls + j.calls, errors = t.errors + j.errors, \
     prompt_tokens = t.prompt_tokens + j.prompt_tokens, completion_tokens = t.completion_tokens + j.completion_tokens";

/// Time without any server is given back to sessions that were last touched before it.
pub(super) const CREDIT_PROTOCOL: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: &["protocol_session_id", "expires_at", "credited"],
    text: "UPDATE archon_mcp_protocol_sessions AS t SET expires_at = j.expires_at, credited = j.credited FROM {joined rows} \
           WHERE t.protocol_session_id = j.protocol_session_id AND {+}t.status = 'active' AND t.credited < j.credited",
};

/// The same for Archon sessions.
pub(super) const CREDIT_ARCHON: RowStatement = RowStatement {
    table: "archon_mcp_sessions",
    columns: &["session_id", "expires_at", "credited"],
    text: "UPDATE archon_mcp_sessions AS t SET expires_at = j.expires_at, credited = j.credited FROM {joined rows} \
           WHERE t.session_id = j.session_id AND {+}t.status = 'active' AND t.credited < j.credited",
};

/// Archon sessions that are ended together.
pub(super) const END_ARCHON: RowStatement = RowStatement {
    table: "archon_mcp_sessions",
    columns: &["session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    text: "UPDATE {table} SET status = j.status, disconnected_at = j.disconnected_at, \
           disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
           WHERE {table}.session_id = j.session_id AND {+}{table}.status = 'active' RETURNING CAST({table}.session_id AS TEXT)",
};

/// Protocol sessions without an Archon session that are ended together.
pub(super) const END_PROTOCOL: RowStatement = RowStatement {
    table: "archon_mcp_protocol_sessions",
    columns: &["protocol_session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    text: "UPDATE {table} SET status = j.status, disconnected_at = j.disconnected_at, \
           disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
           WHERE {table}.protocol_session_id = j.protocol_session_id AND {+}{table}.status = 'active' RETURNING {table}.protocol_session_id",
};

/// Calls that began before the end of their session and finished after it. An end made on this server is known when the
/// row is written; one made elsewhere (another server, an operator, SQL) is seen here.
pub(super) const LATE: RowStatement = RowStatement {
    table: "archon_mcp_requests",
    columns: &["session_id", "boot", "seq"],
    text: "UPDATE archon_mcp_requests AS r SET late = true \
           FROM {joined rows} JOIN archon_mcp_sessions s ON s.session_id = j.session_id \
           WHERE s.status <> 'active' AND r.session_id = j.session_id AND r.boot = j.boot AND r.seq > j.seq \
           AND NOT r.late AND r.timestamp <= s.disconnected_at AND {finished} > s.disconnected_at",
};

/// Sums by minute.
pub(super) const ROLL_UP: RowStatement = RowStatement {
    table: "archon_mcp_rollups",
    columns: &[
        "minute",
        "method",
        "tool_name",
        "client_type",
        "status",
        "bucket",
        "calls",
        "duration_us",
        "prompt_tokens",
        "completion_tokens",
    ],
    text: "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {rows} WHERE true \
           ON CONFLICT (minute, method, tool_name, client_type, status, bucket) DO UPDATE SET \
           calls = t.calls + excluded.calls, duration_us = t.duration_us + excluded.duration_us, \
           prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, \
           completion_tokens = t.completion_tokens + excluded.completion_tokens",
};

/// Sums by day.
pub(super) const ROLL_UP_DAYS: RowStatement = RowStatement {
    table: "archon_mcp_rollups_daily",
    columns: &[
        "day",
        "method",
        "tool_name",
        "client_type",
        "status",
        "bucket",
        "calls",
        "duration_us",
        "prompt_tokens",
        "completion_tokens",
    ],
    text: "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {rows} WHERE true \
           ON CONFLICT (day, method, tool_name, client_type, status, bucket) DO UPDATE SET \
           calls = t.calls + excluded.calls, duration_us = t.duration_us + excluded.duration_us, \
           prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, \
           completion_tokens = t.completion_tokens + excluded.completion_tokens",
};

/// Sums of tool calls by hour.
pub(super) const ROLL_UP_HOURS: RowStatement = RowStatement {
    table: "archon_mcp_rollups_hourly",
    columns: &["hour", "status", "bucket", "calls", "duration_us", "prompt_tokens", "completion_tokens"],
    text: "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {rows} WHERE true \
           ON CONFLICT (hour, status, bucket) DO UPDATE SET \
           calls = t.calls + excluded.calls, duration_us = t.duration_us + excluded.duration_us, \
           prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, \
           completion_tokens = t.completion_tokens + excluded.completion_tokens",
};

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: [RowStatement; 10] = [
        BIND,
        END_ORPHANS,
        ADOPT,
        FLUSH_PROTOCOL,
        FLUSH_ARCHON,
        CREDIT_PROTOCOL,
        CREDIT_ARCHON,
        END_ARCHON,
        END_PROTOCOL,
        LATE,
    ];

    /// A hundred thousand sessions times a thousand rows would take minutes.
    #[test]
    fn sqlite_begins_with_the_rows_that_are_given() {
        let connection = rusqlite::Connection::open_in_memory().expect("a database");
        connection.execute_batch(include_str!("migrations/sqlite/0001_sessions.sql")).expect("a schema");
        connection.execute_batch(include_str!("migrations/sqlite/0002_two_clocks.sql")).expect("a schema");
        for statement in JOINED {
            let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql(Dialect::Sqlite));
            let first: String = connection.query_row(&sql, ["[]"], |row| row.get("detail")).expect("a plan");
            assert!(first.starts_with("SCAN json_each"), "{first}\n{sql}");
        }
    }
}
