//! Calls that run while their session comes to its end.

use std::time::Instant;

use serde_json::json;

use super::clock::{advance_over_a_cleanup, archon, is_valid, start};
use super::{Life, REVISION, SOON, call_body, echo, nap, refused, until};
use crate::databases::on_every_database;
use crate::http::Mcp;

on_every_database!(a_running_call_keeps_its_session, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let nap = nap(&db, &session, 2000).await;
    for by in ["5h", "6h", "7h"] {
        advance_over_a_cleanup(&mut server, by).await;
        assert!(is_valid(&session).await, "after {by}");
    }
    let answer = nap.await.expect("joined");
    assert_eq!(answer.json()["result"]["isError"], false, "{}", answer.text());
    assert_eq!(echo(&session).await, archon(&session));
    Life::Archon.assert_active(&db, archon(&session));
    Life::Protocol.assert_active(&db, &session.id);
    let late = "SELECT COUNT(*) FROM archon_mcp_requests WHERE CAST(late AS INTEGER) <> 0";
    assert_eq!(db.value(late), "0");
});

on_every_database!(a_running_call_keeps_the_session_that_it_names, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let mcp = Mcp::new(server.url());
    let (owner, guest) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&owner).await;
    echo(&guest).await;
    let (named, sleeper) = (archon(&owner).to_owned(), guest.clone());
    let nap = tokio::spawn(async move {
        let body = call_body("test_sleep", &json!({"ms": 2000}));
        sleeper.post(&[("x-archon-session-id", &named)], body).await.expect("an answer")
    });
    // The row of a running call is not there yet, but its session's touch is.
    let touched = format!(
        "SELECT COUNT(*) FROM archon_mcp_protocol_sessions p JOIN archon_mcp_protocol_sessions o \
         ON p.last_activity > o.last_activity WHERE p.protocol_session_id = '{}' AND o.protocol_session_id = '{}'",
        guest.id, owner.id
    );
    until(&db, &touched, "1").await;
    advance_over_a_cleanup(&mut server, "5h").await;
    let answer = nap.await.expect("joined");
    assert_eq!(answer.header("x-archon-session-id"), owner.archon.as_deref());
    Life::Archon.assert_active(&db, archon(&owner));
});

on_every_database!(a_call_whose_session_is_revoked_is_cancelled_and_told_by_whom, |db| async {
    let server = start(&db, &[]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let begun = Instant::now();
    let nap = nap(&db, &session, 60_000).await;
    let id = archon(&session);
    let touched = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE last_activity > connected_at";
    until(&db, touched, "1").await;
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'expired' WHERE session_id = '{id}'"));
    let activity = "SELECT s.last_activity, p.last_activity FROM archon_mcp_sessions s \
         JOIN archon_mcp_protocol_sessions p ON p.session_id = s.session_id";
    let before = db.rows(activity);
    let answer = nap.await.expect("joined");
    assert!(begun.elapsed() < SOON, "it is not waited for");
    let message = answer.json()["error"]["message"].as_str().expect("an error").to_owned();
    assert!(message.contains("by the operator (operator)"), "{message}");
    assert_eq!(db.value("SELECT status FROM archon_mcp_requests WHERE tool_name = 'test_sleep'"), "error");
    // Counted: so what the call touched has been written, too.
    until(&db, &format!("SELECT calls FROM archon_mcp_sessions WHERE session_id = '{id}'"), "1").await;
    assert_eq!(db.value("SELECT CAST(late AS INTEGER) FROM archon_mcp_requests WHERE tool_name = 'test_sleep'"), "1");
    assert_eq!(db.rows(activity), before);
    refused(&session, "operator").await;
    Life::Archon.assert_ended(&db, id, ["expired", "operator", "sql"]);
});
