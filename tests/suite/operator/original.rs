//! The tables of an original Archon are read as they stand, and nothing in them is changed.

use serde_json::json;

use super::*;

/// The tables as its own migrations make them, with rows.
const TABLES: &str = include_str!("../store/backend/original_archon.sql");
pub(crate) const IDLE: &str = "550e8400-e29b-41d4-a716-446655440000";
pub(crate) const LEFT: &str = "660e8400-e29b-41d4-a716-446655440000";

/// A database with them.
pub(crate) fn original() -> Option<Database> {
    let db = Database::postgres()?;
    db.rows(TABLES);
    db.rows(&format!(
        "INSERT INTO archon_mcp_sessions (session_id, client_type, client_version, status, connected_at, last_activity,
            disconnected_at, total_duration, disconnect_reason, user_name, user_email)
         VALUES ('{LEFT}', 'Cursor', '1.0', 'disconnected', now() - interval '2 hours', now() - interval '1 hour',
            now() - interval '1 hour', 3600, 'client_disconnect', 'alice', 'alice@example.org');
         INSERT INTO archon_mcp_requests (session_id, method, tool_name, prompt_tokens, completion_tokens, duration_ms, status, error_message)
         VALUES ('{LEFT}', 'tools/call', 'find_projects', 10, 20, 12, 'error', 'no such project'),
            ('{LEFT}', 'initialize', NULL, 0, 0, 1, 'success', NULL)"
    ));
    Some(db)
}

/// Every row of every table, and every object in the schema.
pub(crate) fn everything(db: &Database) -> Vec<Vec<Vec<Option<String>>>> {
    ["SELECT * FROM archon_mcp_sessions ORDER BY 1", "SELECT * FROM archon_mcp_requests ORDER BY 1", "SELECT * FROM archon_projects",
        "SELECT relname, relkind::text, relnatts::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"]
        .iter().map(|sql| db.rows(sql)).collect()
}

#[test]
fn is_read_and_not_changed() {
    let Some(db) = original() else { return };
    let before = everything(&db);
    let live = document(&db, &["list"]);
    assert_eq!(ids(&live), [IDLE], "idle counts as active");
    assert_eq!((&live["sessions"][0]["status"], &live["sessions"][0]["calls"]), (&json!("active"), &json!(1)));
    assert_eq!(ids(&document(&db, &["list", "--all"])), [IDLE, LEFT]);
    assert_eq!(ids(&document(&db, &["list", "--all", "--user", "alice"])), [LEFT]);
    assert_eq!(ids(&document(&db, &["list", "--all", "--client", "claude code"])), [IDLE]);

    let story = document(&db, &["show", "660e"]);
    let session = &story["session"];
    assert_eq!(
        (&session["session_id"], &session["errors"], &session["duration_s"]),
        (&json!(LEFT), &json!(1), &json!(3600))
    );
    assert_eq!((&story["protocol_sessions"], story["requests"].as_array().map(Vec::len)), (&json!([]), Some(2)));
    assert!(printed(&db, &["show", LEFT]).contains("client_disconnect"));

    assert_eq!(document(&db, &["requests"])["requests"].as_array().map(Vec::len), Some(3));
    let failed = document(&db, &["requests", "--session", "660e", "--status", "error", "--since", "1h"]);
    assert_eq!(
        (&failed["requests"][0]["tool_name"], &failed["requests"][0]["duration_ms"]),
        (&json!("find_projects"), &json!(12.0))
    );
    for by in ["tool", "client", "session", "user", "day", "hour"] {
        let stats = document(&db, &["stats", "--by", by]);
        assert_eq!((&stats["total"]["calls"], &stats["source"]), (&json!(2), &json!("rows")), "by {by}");
    }
    for args in [&["list"][..], &["show", IDLE], &["requests"], &["stats"], &["list", "-o", "csv"]] {
        printed(&db, args);
    }

    for args in [&["expire", IDLE][..], &["expire", "--all", "--yes"], &["db", "migrate"]] {
        let text = told(&db, args, exit::USAGE);
        assert!(
            text.contains("original Archon; nothing was changed") && text.contains("archonctl db import"),
            "{text}"
        );
    }
    assert!(told(&db, &["requests", "-f"], exit::USAGE).contains("original Archon"));
    assert!(told(&db, &["events"], exit::USAGE).contains("original Archon"));
    assert!(before == everything(&db), "something was changed");
}
