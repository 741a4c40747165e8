//! The members of each list.

const SESSION: &[&str] = &[
    "session_id",
    "protocol_session_id",
    "protocol_version",
    "status",
    "state",
    "called_tools",
    "client_type",
    "client_name",
    "client_version",
    "user_id",
    "user_name",
    "user_email",
    "connected_at",
    "last_activity",
    "expires_at",
    "disconnected_at",
    "disconnect_reason",
    "ended_by",
    "duration_s",
    "calls",
    "errors",
    "prompt_tokens",
    "completion_tokens",
];
const REQUEST: &[&str] = &[
    "id",
    "timestamp",
    "session_id",
    "protocol_session_id",
    "client_type",
    "user_name",
    "method",
    "tool_name",
    "status",
    "duration_ms",
    "prompt_tokens",
    "completion_tokens",
    "estimated_cost_usd",
    "error_message",
    "session_rule",
    "late",
];
const EVENT: &[&str] = &["id", "at", "kind", "session_id", "protocol_session_id", "reason", "actor"];
const BOOT: &[&str] = &[
    "number",
    "start_number",
    "instance",
    "pid",
    "version",
    "host",
    "listen",
    "started_at",
    "heartbeat_at",
    "cleanup_at",
    "ended_at",
    "end_cause",
    "end_confidence",
    "end_evidence",
    "outage_s",
    "memory_bytes",
    "recovered",
];
const USAGE: &[&str] = &[
    "name",
    "calls",
    "errors",
    "timeouts",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "prompt_tokens",
    "completion_tokens",
];
const ENDED: &[&str] =
    &["session_id", "protocol_session_id", "client_type", "client_version", "user_name", "last_activity", "calls"];

/// A command, the list in its document, the members of an item, how many items there are in [`filled`], and a word that
/// its table begins with.
pub(super) type Shape = (&'static [&'static str], &'static str, &'static [&'static str], usize, &'static str);

/// Version 1 of every list. A member may be added; none may go, or change its name or place, without a new version.
pub(super) const SHAPES: &[Shape] = &[
    (&["list"], "sessions", SESSION, 2, "SESSION"),
    (&["list", "--all"], "sessions", SESSION, 4, "SESSION"),
    (&["requests"], "requests", REQUEST, 3, "TIME"),
    (&["events"], "events", EVENT, 6, "TIME"),
    (&["boots"], "boots", BOOT, 1, "START"),
    (&["stats"], "groups", USAGE, 2, "TOOL"),
    (&["stats", "--by", "user"], "groups", USAGE, 1, "USER"),
    (&["expire", "--all", "--dry-run"], "sessions", ENDED, 2, "SESSION"),
    (&["db", "migrate"], "applied", &["version", "description"], 0, ""),
];
