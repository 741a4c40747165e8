//! A server removes what is old while it runs.

use super::*;
use crate::databases::on_every_database;
use crate::http::Mcp;

/// A moment that many days ago, in SQL.
fn days_ago(db: &Database, days: u32) -> String {
    if db.is_postgres() {
        format!("date_trunc('hour', now() - interval '{days} days')")
    } else {
        format!("strftime('%Y-%m-%d %H:00:00.000', 'now', '-{days} days')")
    }
}

on_every_database!(sums_by_minute_and_hour_are_kept_for_ninety_days, |db| async {
    let server = ServeProcess::start(&db, &["--cleanup-interval", "200ms"]).await;
    let sums = "'tools/call', 'health_check', 'Cursor', 'success', 30, 1, 1000, 1, 1";
    for days in [400, 120, 91, 89] {
        let at = days_ago(&db, days);
        db.rows(&format!(
            "INSERT INTO archon_mcp_rollups VALUES ({at}, {sums});
             INSERT INTO archon_mcp_rollups_hourly VALUES ({at}, 'success', 30, 1, 1000, 1, 1);
             INSERT INTO archon_mcp_rollups_daily VALUES ({at}, {sums})"
        ));
    }
    for table in ["archon_mcp_rollups", "archon_mcp_rollups_hourly"] {
        until(&db, &format!("SELECT COUNT(*) FROM {table}"), "1").await;
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_rollups_daily"), "4", "days stay");
    server.wait_for_line("Removed old rows: 0 requests, 0 events, 0 ended sessions, 0 captured calls", SOON).await;
});

on_every_database!(rows_from_the_future_keep_no_others, |db| async {
    let options = ["--test-tools", "--retention", "10d", "--cleanup-interval", "200ms"];
    let server = ServeProcess::start(&db, &options).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let call = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/list"}}"#);
    let post = async |count: usize| {
        for n in 0..count {
            assert_eq!(session.post(&[], call(n)).await.expect("an answer").status, 200);
        }
    };
    // More than one chunk of them stands before the others.
    post(20).await;
    let ahead = if db.is_postgres() { "now() + interval '1 year'" } else { "'2099-01-01 00:00:00.000'" };
    let more = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n";
    db.rows(&format!(
        "UPDATE archon_mcp_requests SET timestamp = {ahead};
         INSERT INTO archon_mcp_requests (method, timestamp, status) SELECT 'tools/list', {ahead}, 'success' FROM ({more}) m;
         UPDATE archon_mcp_session_events SET at = {ahead}"
    ));
    let last = db.value("SELECT MAX(id) FROM archon_mcp_requests");
    post(20).await;
    let old = days_ago(&db, 11);
    db.rows(&format!("UPDATE archon_mcp_requests SET timestamp = {old} WHERE id > {last}"));
    until(&db, &format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE id > {last}"), "0").await;
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests"), "621", "those from the future, and of initialize");
});
