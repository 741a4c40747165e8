//! What is old is removed, by a clock that the test moves.

use serde_json::json;

use super::clock::{advance, advance_over_a_cleanup, start};
use super::{REVISION, echo, refused, until};
use crate::databases::on_every_database;
use crate::http::Mcp;

on_every_database!(captured_words_have_a_retention_of_their_own, |db| async {
    let mut server = start(&db, &["--capture", "all", "--capture-retention", "1h"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    let captures = "SELECT COUNT(*) FROM archon_mcp_captures";
    assert_eq!(db.value(captures), "1");
    advance_over_a_cleanup(&mut server, "2h").await;
    until(&db, captures, "0").await;
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE method = 'tools/call'"), "1");
});

on_every_database!(what_is_older_than_the_retention_is_removed, |db| async {
    let limits = ["--session-timeout", "1h", "--protocol-session-timeout", "90m", "--retention", "1d"];
    let mut server = start(&db, &limits).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    // First it ends, then it is old.
    advance_over_a_cleanup(&mut server, "2h").await;
    refused(&session, "timeout").await;
    let left = "SELECT (SELECT COUNT(*) FROM archon_mcp_requests) + (SELECT COUNT(*) FROM archon_mcp_sessions) \
                + (SELECT COUNT(*) FROM archon_mcp_protocol_sessions)";
    assert_ne!(db.value(left), "0");
    advance_over_a_cleanup(&mut server, "2d").await;
    until(&db, left, "0").await;
    assert_ne!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "0");
    let answer = session.request("ping", json!({})).await;
    assert_eq!((answer.status, &answer.json()["error"]["data"]["reason"]), (404, &json!("session_unknown")));
});

on_every_database!(a_live_connection_loses_its_old_archon_sessions_alone, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h", "--retention", "1d"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    advance(&mut server, "2h").await;
    let second = echo(&session).await;
    advance_over_a_cleanup(&mut server, "50h").await;
    // A run removes a day's worth at most.
    for _ in 0..2 {
        advance_over_a_cleanup(&mut server, "6m").await;
    }
    until(&db, "SELECT COUNT(*) FROM archon_mcp_sessions", "1").await;
    assert_ne!(echo(&session).await, second);
    until(&db, "SELECT calls FROM archon_mcp_protocol_sessions", "3").await;
});
