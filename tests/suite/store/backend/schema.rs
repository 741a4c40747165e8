//! The guide's tables and the guide's SQL.

use std::process::Command;

use super::*;
use crate::databases::on_every_database;

/// Table, column, type on PostgreSQL, type on SQLite: the guide's "Database Schema", with times that know their zone.
const GUIDE: [(&str, &str, &str, &str); 25] = [
    ("archon_mcp_sessions", "session_id", "uuid", "TEXT"),
    ("archon_mcp_sessions", "client_type", "text", "TEXT"),
    ("archon_mcp_sessions", "client_version", "text", "TEXT"),
    ("archon_mcp_sessions", "client_capabilities", "jsonb", "TEXT"),
    ("archon_mcp_sessions", "connected_at", "timestamp with time zone", "TEXT"),
    ("archon_mcp_sessions", "last_activity", "timestamp with time zone", "TEXT"),
    ("archon_mcp_sessions", "disconnected_at", "timestamp with time zone", "TEXT"),
    ("archon_mcp_sessions", "total_duration", "integer", "INTEGER"),
    ("archon_mcp_sessions", "status", "text", "TEXT"),
    ("archon_mcp_sessions", "disconnect_reason", "text", "TEXT"),
    ("archon_mcp_sessions", "user_id", "uuid", "TEXT"),
    ("archon_mcp_sessions", "user_email", "text", "TEXT"),
    ("archon_mcp_sessions", "user_name", "text", "TEXT"),
    ("archon_mcp_sessions", "metadata", "jsonb", "TEXT"),
    ("archon_mcp_requests", "id", "bigint", "INTEGER"),
    ("archon_mcp_requests", "session_id", "uuid", "TEXT"),
    ("archon_mcp_requests", "method", "text", "TEXT"),
    ("archon_mcp_requests", "tool_name", "text", "TEXT"),
    ("archon_mcp_requests", "prompt_tokens", "integer", "INTEGER"),
    ("archon_mcp_requests", "completion_tokens", "integer", "INTEGER"),
    ("archon_mcp_requests", "estimated_cost", "numeric(10,6)", "DECIMAL(10, 6)"),
    ("archon_mcp_requests", "timestamp", "timestamp with time zone", "TEXT"),
    ("archon_mcp_requests", "duration_ms", "integer", "INTEGER"),
    ("archon_mcp_requests", "status", "text", "TEXT"),
    ("archon_mcp_requests", "error_message", "text", "TEXT"),
];

const INSERT: &str = "INSERT INTO archon_mcp_sessions (
    session_id,
    client_type,
    client_version,
    connected_at,
    last_activity,
    status
) VALUES (
    '550e8400-e29b-41d4-a716-446655440000',
    'Claude Code',
    '1.0.0',
    '2026-01-10 12:00:00',
    '2026-01-10 12:00:00',
    'active'
);";

/// The SELECTs that both databases understand, with how many rows and columns each yields here.
const SELECTS: [(&str, usize, usize); 4] = [
    (
        "SELECT
    session_id,
    client_type,
    client_version,
    connected_at,
    last_activity,
    status
FROM archon_mcp_sessions
WHERE status = 'active'
ORDER BY last_activity DESC;",
        1,
        6,
    ),
    (
        "SELECT
    s.session_id,
    s.client_type,
    r.tool_name,
    r.status,
    r.duration_ms,
    r.timestamp
FROM archon_mcp_sessions s
JOIN archon_mcp_requests r ON s.session_id = r.session_id
WHERE s.session_id = '550e8400-e29b-41d4-a716-446655440000'
ORDER BY r.timestamp DESC;",
        2,
        6,
    ),
    (
        "SELECT client_type, COUNT(*), AVG(total_duration)
     FROM archon_mcp_sessions
     GROUP BY client_type;",
        1,
        3,
    ),
    ("SELECT session_id FROM archon_mcp_sessions LIMIT 1;", 1, 1),
];

const RECOVERY: &str = "SELECT session_id, last_activity
FROM archon_mcp_sessions
WHERE status = 'active'
  AND last_activity >= (NOW() - INTERVAL '1 hour')
ORDER BY last_activity DESC;";

const GUIDE_ID: Uuid = Uuid::from_u128(0x550e_8400_e29b_41d4_a716_4466_5544_0000);

fn in_guides_session() -> NewRequest {
    NewRequest { session_id: Some(GUIDE_ID), ..call(1) }
}

on_every_database!(the_guides_columns_are_there, |db| async {
    let _store = serving(&db).await;
    let sql = if db.is_postgres() {
        "SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod) FROM pg_attribute
         WHERE attrelid IN ('archon_mcp_sessions'::regclass, 'archon_mcp_requests'::regclass) AND attnum > 0"
    } else {
        "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c
         WHERE m.name IN ('archon_mcp_sessions', 'archon_mcp_requests')"
    };
    let present = rows(&db, sql);
    for (table, column, postgres, sqlite) in GUIDE {
        let wanted = [table, column, if db.is_postgres() { postgres } else { sqlite }].map(str::to_owned).to_vec();
        assert!(present.contains(&wanted), "{wanted:?} is not in {present:?}");
    }
});

on_every_database!(the_guides_statements_run, |db| async {
    let store = serving(&db).await;
    db.rows(INSERT);
    store_all(&store, [requests(in_guides_session()), requests(in_guides_session())]).await;
    for (sql, rows, columns) in SELECTS {
        let found = db.rows(sql);
        assert_eq!((found.len(), found[0].len()), (rows, columns), "{sql}\n{found:?}");
    }
    // The row that the guide inserts is a session like any other.
    let session = store.archon_session(GUIDE_ID).await.expect("an answer").expect("a session");
    assert_eq!((session.life.started, session.life.last_activity), (NOON, NOON));
    assert_eq!((session.life.expires_at, session.life.credited, session.life.ended), (None, None, None));
    if db.is_postgres() {
        assert_eq!(db.rows(RECOVERY).len(), 0, "the guide's session is of 2026-01-10");
        db.rows(&format!("UPDATE archon_mcp_sessions SET last_activity = NOW() WHERE session_id = '{GUIDE_ID}'"));
        assert_eq!(db.rows(RECOVERY).len(), 1);
    }
});

on_every_database!(defaults_make_a_session_of_an_id_alone, |db| async {
    let store = serving(&db).await;
    db.rows(&format!("INSERT INTO archon_mcp_sessions (session_id) VALUES ('{GUIDE_ID}')"));
    let session = store.archon_session(GUIDE_ID).await.expect("an answer").expect("a session");
    let age = archonctl::model::clock::Clock::uncorrected().since(session.life.last_activity);
    assert!(age < minutes(1) && session.life.ended.is_none(), "{session:?}");
});

/// What an operator types into the `sqlite3` program, while a server has the file open.
#[tokio::test]
async fn the_sqlite3_program_runs_them_too() {
    let db = Database::sqlite();
    let store = serving(&db).await;
    sqlite3(&db, INSERT);
    store_all(&store, [requests(in_guides_session()), requests(in_guides_session())]).await;
    for (sql, rows, columns) in SELECTS {
        let found = sqlite3(&db, sql);
        let lines: Vec<_> = found.lines().collect();
        assert_eq!((lines.len(), lines[0].split('|').count()), (rows, columns), "{sql}\n{found}");
    }
    assert!(sqlite3(&db, SELECTS[0].0).contains("Claude Code|1.0.0|2026-01-10 12:00:00|2026-01-10 12:00:00|active"));
}

/// Runs SQL in the `sqlite3` program, of whatever version it is here.
pub(in crate::store) fn sqlite3(db: &Database, sql: &str) -> String {
    let file = db.url().trim_start_matches("sqlite://");
    let output = Command::new("sqlite3").args(["-bail", "-cmd", ".timeout 5000", file, sql]).output();
    let output = output.expect("run sqlite3 (scripts/install.sh sqlite3)");
    assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
