//! The tables of an original Archon, and those that its guide prints, are read as they stand, and nothing in them is changed.

use serde_json::json;

use super::*;

/// The tables as its own migrations make them, with rows.
const TABLES: &str = include_str!("../store/backend/original_archon.sql");
/// Those of the guide, which both databases take.
const GUIDE_TABLES: &str = include_str!("../store/backend/guide_tables.sql");
pub(crate) const IDLE: &str = "550e8400-e29b-41d4-a716-446655440000";
pub(crate) const LEFT: &str = "660e8400-e29b-41d4-a716-446655440000";
const BARE: &str = "770e8400-e29b-41d4-a716-446655440000";

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

/// A database with the guide's tables, and a row that says nothing but its id.
pub(crate) fn guides(db: Database) -> Database {
    db.rows(GUIDE_TABLES);
    let (start, hour, now) = (ago(7200), ago(3600), ago(10));
    db.rows(&format!(
        "INSERT INTO archon_mcp_sessions (session_id, client_type, client_version, status, connected_at, last_activity,
            disconnected_at, total_duration, disconnect_reason, user_name, user_email)
         VALUES ('{IDLE}', 'Claude Code', '1.0.0', 'active', {start}, {now}, NULL, NULL, NULL, NULL, NULL),
            ('{LEFT}', 'Cursor', '1.0', 'disconnected', {start}, {hour}, {hour}, 3600, 'client_disconnect', 'alice',
             'alice@example.org');
         INSERT INTO archon_mcp_sessions (session_id) VALUES ('{BARE}');
         INSERT INTO archon_mcp_requests (session_id, method, tool_name, prompt_tokens, completion_tokens, timestamp,
            duration_ms, status, error_message)
         VALUES ('{IDLE}', 'tools/call', 'health_check', NULL, NULL, {now}, 3, 'success', NULL),
            ('{LEFT}', 'tools/call', 'find_projects', 10, 20, {now}, 12, 'error', 'no such project'),
            ('{LEFT}', 'initialize', NULL, 0, 0, {now}, 1, 'success', NULL)"
    ));
    db
}

/// Every row of every table, and every object in the schema.
pub(crate) fn everything(db: &Database) -> Vec<Vec<Vec<Option<String>>>> {
    let tables = db.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
    let of_tables = tables.iter().flatten().flatten().map(|table| format!("SELECT * FROM {table} ORDER BY 1"));
    let of_schema = [
        "SELECT relname, relkind::text, relnatts::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns \
         WHERE table_schema = 'public' ORDER BY 1, 2",
    ];
    of_tables.chain(of_schema.map(str::to_owned)).map(|sql| db.rows(&sql)).collect()
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
            text.contains("original Archon; nothing was changed") && text.contains("another --database-url"),
            "{text}"
        );
    }
    assert!(told(&db, &["requests", "-f"], exit::USAGE).contains("original Archon"));
    assert!(told(&db, &["events"], exit::USAGE).contains("original Archon"));
    assert!(before == everything(&db), "something was changed");
}

#[test]
fn the_guides_own_tables_are_read_and_not_changed() {
    for db in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten().map(guides) {
        let file = db.folder().join("archon.db");
        let content =
            || if db.is_postgres() { Err(everything(&db)) } else { Ok(std::fs::read(&file).expect("a file")) };
        let before = content();
        assert_eq!(ids(&document(&db, &["list"])), [IDLE, BARE]);
        let all = document(&db, &["list", "--all"]);
        assert_eq!(ids(&all), [IDLE, LEFT, BARE]);
        assert_eq!((&all["sessions"][1]["calls"], &all["sessions"][1]["completion_tokens"]), (&json!(1), &json!(20)));
        assert_eq!(ids(&document(&db, &["list", "--all", "--user", "alice"])), [LEFT]);
        let story = document(&db, &["show", "660e"]);
        let session = &story["session"];
        assert_eq!((&session["errors"], &session["duration_s"]), (&json!(1), &json!(3600)));
        assert_eq!(story["requests"].as_array().map(Vec::len), Some(2));

        let failed = document(&db, &["requests", "--session", "660e", "--status", "error", "--since", "1h"]);
        assert_eq!(
            (&failed["requests"][0]["tool_name"], &failed["requests"][0]["duration_ms"]),
            (&json!("find_projects"), &json!(12.0))
        );
        for by in ["tool", "client", "session", "user", "day", "hour"] {
            let stats = document(&db, &["stats", "--by", by]);
            assert_eq!((&stats["total"]["calls"], &stats["source"]), (&json!(2), &json!("rows")), "by {by}");
        }
        for screen in ["sessions", "requests", "tools", "clients", "events", "history", "boots"] {
            printed(&db, &["dashboard", "--once", "--size", "120x40", "--screen", screen]);
        }
        let shown = printed(&db, &["dashboard", "--once", "-o", "json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!((&shown["counts"]["active"], &shown["counts"]["disconnected"]), (&json!(2), &json!(1)));
        let took: Vec<_> = shown["slowest"].as_array().expect("calls").iter().map(|r| &r["duration_ms"]).collect();
        assert_eq!(took, [&json!(12.0), &json!(3.0)]);
        assert!(told(&db, &["expire", IDLE], exit::USAGE).contains("original Archon"));
        assert!(told(&db, &["events"], exit::USAGE).contains("original Archon"));
        assert!(before == content(), "something was changed");
        let files = std::fs::read_dir(db.folder()).expect("a folder");
        let files: Vec<_> =
            files.map(|file| file.expect("a file").file_name().into_string().expect("a name")).collect();
        assert!(files.iter().all(|name| !name.starts_with("archon.db-")), "{files:?}");
    }
}
