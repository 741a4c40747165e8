//! What a flush writes: statements over sessions that were touched or counted, and over sums.

use crate::store::backend::RowStatement;

/// What a flush does to Archon sessions that are touched or counted. Touches move forward only, and only what is active; after
/// an outage that a row does not know of its times may be on a new scale, because a clock was set.
pub(super) static FLUSH_ARCHON: RowStatement = RowStatement::of_fragments(
    "archon_mcp_sessions",
    &[
        "session_id",
        "last_activity",
        "expires_at",
        "boot",
        "credited",
        "calls",
        "errors",
        "prompt_tokens",
        "completion_tokens",
    ],
    FLUSH,
    &[("{key}", "session_id"), MOVES],
);

/// The same for protocol sessions.
pub(super) static FLUSH_PROTOCOL: RowStatement = RowStatement::of_fragments(
    "archon_mcp_protocol_sessions",
    &[
        "protocol_session_id",
        "last_activity",
        "expires_at",
        "boot",
        "credited",
        "calls",
        "errors",
        "prompt_tokens",
        "completion_tokens",
    ],
    FLUSH,
    &[("{key}", "protocol_session_id"), MOVES],
);

const FLUSH: &str = "UPDATE {table} AS t SET last_activity = CASE WHEN {moves} THEN j.last_activity ELSE t.last_activity END, \
     expires_at = CASE WHEN {moves} THEN j.expires_at ELSE t.expires_at END, \
     boot = CASE WHEN {moves} THEN j.boot ELSE t.boot END, \
     credited = CASE WHEN {moves} THEN j.credited ELSE t.credited END, \
     calls = t.calls + j.calls, errors = t.errors + j.errors, \
     prompt_tokens = t.prompt_tokens + j.prompt_tokens, completion_tokens = t.completion_tokens + j.completion_tokens \
     FROM {joined rows} WHERE t.{key} = j.{key} AND (j.calls > 0 OR {moves})";

/// Whether a touch moves its row.
const MOVES: (&str, &str) =
    ("{moves}", "({+}t.status = 'active' AND (t.credited < j.credited OR {+}t.last_activity < j.last_activity))");

/// Calls that began before the end of their session and finished after it. An end made on this server is known when the
/// row is written; one made elsewhere (another server, an operator, SQL) is seen here.
pub(super) static LATE: RowStatement = RowStatement::new(
    "archon_mcp_requests",
    &["session_id", "boot", "seq"],
    "UPDATE archon_mcp_requests AS r SET late = true \
     FROM {joined rows} JOIN archon_mcp_sessions s ON s.session_id = j.session_id \
     WHERE s.status <> 'active' AND r.session_id = j.session_id AND r.boot = j.boot AND r.seq > j.seq \
     AND NOT r.late AND r.timestamp <= s.disconnected_at AND {finished} > s.disconnected_at",
);

/// Sums by minute.
pub(super) static ROLL_UP: RowStatement = RowStatement::of_fragments(
    "archon_mcp_rollups",
    &[
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
    ADD,
    &[("{key}", "minute, method, tool_name, client_type, status, bucket")],
);

/// Sums by day.
pub(super) static ROLL_UP_DAYS: RowStatement = RowStatement::of_fragments(
    "archon_mcp_rollups_daily",
    &[
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
    ADD,
    &[("{key}", "day, method, tool_name, client_type, status, bucket")],
);

/// Sums of tool calls by hour.
pub(super) static ROLL_UP_HOURS: RowStatement = RowStatement::of_fragments(
    "archon_mcp_rollups_hourly",
    &["hour", "status", "bucket", "calls", "duration_us", "prompt_tokens", "completion_tokens"],
    ADD,
    &[("{key}", "hour, status, bucket")],
);

/// Sums are added to those that are there.
const ADD: &str = "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {rows} WHERE true \
     ON CONFLICT ({key}) DO UPDATE SET \
     calls = t.calls + excluded.calls, duration_us = t.duration_us + excluded.duration_us, \
     prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, \
     completion_tokens = t.completion_tokens + excluded.completion_tokens";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_begins_with_the_rows_that_are_given() {
        for statement in [&FLUSH_PROTOCOL, &FLUSH_ARCHON, &LATE] {
            statement.assert_begins_with_its_rows();
        }
    }
}
