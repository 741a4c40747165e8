//! Ends that somebody makes: the client by DELETE, an operator by hand.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{HONOURED, Life, REVISION, SOON, echo, get, refused};
use crate::databases::{Database, on_every_database};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;

async fn start(db: &Database) -> (ServeProcess, Mcp) {
    let server = ServeProcess::start(db, &["--test-tools"]).await;
    let mcp = Mcp::new(server.url());
    (server, mcp)
}

fn archon(session: &Session) -> &str {
    session.archon.as_deref().expect("an Archon session")
}

on_every_database!(delete_ends_both_lives, |db| async {
    let (mut server, mcp) = start(&db).await;
    let (session, fresh) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&session).await;
    let by_client = ["disconnected", "client_disconnect", "client"];
    for ended in [&session, &fresh] {
        assert_eq!(ended.delete().await.status, 204);
        assert_eq!(ended.request("ping", json!({})).await.status, 404, "at once: it was ended here");
        refused(ended, "client_disconnect").await;
        assert_eq!(ended.delete().await.status, 204, "it has ended already");
        Life::Protocol.assert_ended(&db, &ended.id, by_client);
    }
    Life::Archon.assert_ended(&db, archon(&session), by_client);
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "1", "the other never called a tool");

    server.sigkill();
    let _server = ServeProcess::start_at(server.address(), &db, &[]).await;
    refused(&session, "client_disconnect").await;
});

on_every_database!(delete_leaves_an_archon_session_that_another_uses, |db| async {
    let (_server, mcp) = start(&db).await;
    let first = mcp.initialize(REVISION).await;
    let id = echo(&first).await;
    let second = mcp.initialize_with(&[("x-archon-session-id", &id)], "suite", REVISION).await;
    assert_eq!(first.delete().await.status, 204);
    Life::Protocol.assert_ended(&db, &first.id, ["disconnected", "client_disconnect", "client"]);
    Life::Archon.assert_active(&db, &id);
    assert_eq!(echo(&second).await, id);
    assert_eq!(second.delete().await.status, 204);
    Life::Archon.assert_ended(&db, &id, ["disconnected", "client_disconnect", "client"]);
});

on_every_database!(an_end_typed_by_hand_counts_within_the_lease, |db| async {
    let (_server, mcp) = start(&db).await;
    let (session, bystander) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&session).await;
    echo(&bystander).await;
    let id = archon(&session);
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'expired' WHERE session_id = '{id}'"));
    refused(&session, "operator").await;
    let by_hand = ["expired", "operator", "sql"];
    Life::Archon.assert_ended(&db, id, by_hand);
    Life::Protocol.assert_ended(&db, &session.id, by_hand);
    assert_eq!(echo(&bystander).await, archon(&bystander));

    // The connection: its Archon session ends with it, as after a DELETE.
    let ended = &bystander.id;
    db.rows(&format!(
        "UPDATE archon_mcp_protocol_sessions SET status = 'disconnected' WHERE protocol_session_id = '{ended}'"
    ));
    refused(&bystander, "operator").await;
    Life::Protocol.assert_ended(&db, ended, ["disconnected", "operator", "sql"]);
    Life::Archon.assert_ended(&db, archon(&bystander), ["disconnected", "operator", "sql"]);
});

on_every_database!(an_end_by_hand_is_learnt_of_before_anybody_asks, |db| async {
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let id = echo(&session).await;
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE session_id = '{id}'"));
    let begun = Instant::now();
    while !get(server.address(), "/metrics")
        .await
        .expect("metrics")
        .text()
        .contains("sessions_ended_elsewhere_total{} 1")
    {
        assert!(begun.elapsed() < SOON, "nobody told the server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    refused(&session, "operator").await;
});

on_every_database!(the_update_of_the_guide_ends_an_archon_session_alone, |db| async {
    let (_server, mcp) = start(&db).await;
    let session = mcp.initialize(REVISION).await;
    let id = echo(&session).await;
    let now = if db.is_postgres() { "NOW()" } else { "datetime('now')" };
    db.rows(&format!(
        "UPDATE archon_mcp_sessions SET status = 'expired', disconnected_at = {now}, disconnect_reason = 'timeout' \
         WHERE session_id = '{id}'"
    ));
    let begun = Instant::now();
    while echo(&session).await == id {
        assert!(begun.elapsed() < HONOURED, "its end is honoured");
    }
    Life::Archon.assert_ended(&db, &id, ["expired", "timeout", "sql"]);
    Life::Protocol.assert_active(&db, &session.id);
});

on_every_database!(an_end_by_hand_while_nobody_serves_counts, |db| async {
    let (mut server, mcp) = start(&db).await;
    let (session, kept) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&session).await;
    echo(&kept).await;
    server.sigkill();
    let id = archon(&session);
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE session_id = '{id}'"));
    let _server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
    let begun = std::time::Instant::now();
    refused(&session, "operator").await;
    assert!(begun.elapsed() < HONOURED);
    assert_eq!(echo(&kept).await, archon(&kept));
});
