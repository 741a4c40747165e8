//! Faults that lie in the database.

use sqlx::AssertSqlSafe;

/// Triggers that spoil what the server writes.
pub(crate) fn triggers(fault: &str) -> Vec<String> {
    let after = |name: &str, what: &str, work: &str| {
        format!("CREATE TRIGGER IF NOT EXISTS faulty_{name} AFTER {what} BEGIN {work}; END")
    };
    let of_each = |what: &dyn Fn(&str) -> String| {
        ["archon_mcp_sessions", "archon_mcp_protocol_sessions"].map(what).into_iter().collect()
    };
    match fault {
        "rows-get-lost" => vec![after(
            "rows",
            "INSERT ON archon_mcp_requests WHEN NEW.method <> 'initialize'",
            "DELETE FROM archon_mcp_requests WHERE id = NEW.id",
        )],
        "errors-as-success" => vec![after(
            "errors",
            "INSERT ON archon_mcp_requests",
            "UPDATE archon_mcp_requests SET status = 'success' WHERE id = NEW.id",
        )],
        "handshake-is-not-kept" => vec![after(
            "handshake",
            "INSERT ON archon_mcp_protocol_sessions",
            "DELETE FROM archon_mcp_protocol_sessions WHERE protocol_session_id = NEW.protocol_session_id",
        )],
        "wrong-durations" => of_each(&|table| {
            let wrong = format!("UPDATE {table} SET total_duration = 50000 WHERE total_duration < 50000");
            after(table, &format!("UPDATE OF total_duration ON {table} WHEN NEW.total_duration < 50000"), &wrong)
        }),
        "hollow-ends" => of_each(&|table| {
            let hollow = format!("UPDATE {table} SET ended_by = 'nobody' WHERE ended_by <> 'nobody'");
            after(table, &format!("UPDATE OF ended_by ON {table} WHEN NEW.ended_by <> 'nobody'"), &hollow)
        }),
        _ => Vec::new(),
    }
}

/// Past the server, into its database.
pub(crate) async fn execute(statements: &[String]) {
    if statements.is_empty() {
        return;
    }
    let url = std::env::var("DATABASE_URL").expect("the database's URL");
    let pool = sqlx::SqlitePool::connect(&url).await.expect("SQLite");
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql.clone())).execute(&pool).await.expect("it is spoilt");
    }
    pool.close().await;
}
