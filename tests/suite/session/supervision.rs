//! Nothing that a server does in the background dies unnoticed.

use serde_json::json;

use super::*;
use crate::databases::on_every_database;
use crate::http::Mcp;

/// Makes a part of the server panic; whether there is such a part.
async fn break_part(session: &Session, part: &str) -> bool {
    let answer = session.request("tools/call", json!({"name": "test_break", "arguments": {"part": part}})).await;
    answer.json()["result"]["structuredContent"]["known"] == true
}

on_every_database!(a_loop_that_breaks_is_told_and_goes_on, |db| async {
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    for part in ["flush", "heartbeat", "cleanup", "pulse", "follow news", "announce changes"] {
        assert!(break_part(&session, part).await, "{part}");
        server.wait_for_line(&format!("the task \\\"{part}\\\" broke: broken on purpose"), SOON).await;
    }
    server.wait_for_line("panicked: broken on purpose", SOON).await;
    // Sums are written by the flush that was started again.
    let archon = echo(&session).await;
    let calls = format!("SELECT calls FROM archon_mcp_sessions WHERE session_id = '{archon}'");
    until(&db, &calls, "7").await;
    assert!(!break_part(&session, "no such part").await);
});

on_every_database!(without_its_writer_a_server_ends_and_the_next_has_every_row, |db| async {
    let mut parts = vec!["writer"];
    if !db.is_postgres() {
        parts.extend(["writer thread", "checkpoint thread"]);
    }
    let mut acknowledged = 0;
    for part in parts {
        let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
        let session = Mcp::new(server.url()).initialize(REVISION).await;
        for _ in 0..20 {
            echo(&session).await;
            acknowledged += 1;
        }
        // Its answer may not leave any more.
        let body = call_body("test_break", &json!({"part": part}));
        _ = session.post(&[], body).await;
        let ended = server.ended(SOON).await;
        assert_eq!(ended.code(), Some(4), "{part}: {ended}");
        server.wait_for_line("panicked: broken on purpose", SOON).await;
        server.wait_for_line(&format!("error: the {part} of the database broke"), SOON).await;
    }
    let _server = ServeProcess::start(&db, &[]).await;
    let rows = db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo'");
    assert_eq!(rows, acknowledged.to_string());
});
