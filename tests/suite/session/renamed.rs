//! A principal that has a new name in the token file keeps its sessions, where the operator says who it was.

use super::*;
use crate::databases::on_every_database;
use crate::http::Mcp;
use crate::token_file::lines;

/// A token file in which the token `old` belongs to that principal, and `other` to Bob.
fn tokens(db: &Database, principal: &str) -> String {
    let path = db.folder().join("tokens");
    std::fs::write(&path, lines(&[("old", principal), ("other", "bob")])).expect("written");
    path.display().to_string()
}

const RENAMED: &str = "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'renamed'";

on_every_database!(sessions_follow_a_renamed_principal, |db| async {
    let file = tokens(&db, "ada");
    let mut server = ServeProcess::start(&db, &["--test-tools", "--token-file", &file]).await;
    let (ada, bob) = (Mcp::new(server.url()).with_token("old"), Mcp::new(server.url()).with_token("other"));
    let (session, reserved, his) =
        (ada.initialize(REVISION).await, ada.initialize(REVISION).await, bob.initialize(REVISION).await);
    let (archon, his_archon) = (echo(&session).await, echo(&his).await);
    let ended = ada.initialize(REVISION).await;
    ended.delete().await;
    server.sigkill();

    tokens(&db, "ada.l ada@example.org");
    let options =
        ["--test-tools", "--token-file", &file, "--rename-principal", "ada=ada.l", "--rename-principal", "carol=bob"];
    let mut server = ServeProcess::start_at(server.address(), &db, &options).await;
    assert_eq!((echo(&session).await, echo(&his).await), (archon.clone(), his_archon), "nobody has noticed");
    assert_eq!(echo(&reserved).await, *reserved.archon.as_deref().expect("reserved"));
    let owners =
        "SELECT principal, COUNT(*) FROM archon_mcp_protocol_sessions WHERE status = 'active' GROUP BY 1 ORDER BY 1";
    assert_eq!(db.rows(owners), [["ada.l", "2"], ["bob", "1"]].map(|row| row.map(|text| Some(text.to_owned()))));
    let user =
        format!("SELECT principal, user_name, user_email FROM archon_mcp_sessions WHERE session_id = '{archon}'");
    assert_eq!(db.rows(&user), [["ada.l", "ada.l", "ada@example.org"].map(|text| Some(text.to_owned()))]);
    let past = "SELECT principal FROM archon_mcp_protocol_sessions WHERE status <> 'active'";
    assert_eq!(db.value(past), "ada", "what has ended keeps its name");
    assert_eq!(db.value(RENAMED), "1", "one event for all, and none for nobody");
    let told = db.value("SELECT reason FROM archon_mcp_session_events WHERE kind = 'renamed'");
    assert_eq!(told, "ada is ada.l: 2 connections, 1 Archon sessions");

    // The option may stay where it is.
    server.sigkill();
    let _server = ServeProcess::start_at(server.address(), &db, &options).await;
    assert_eq!(echo(&session).await, archon);
    assert_eq!(db.value(RENAMED), "1");
});

#[tokio::test]
async fn a_name_without_its_option_is_somebody_else() {
    let db = Database::sqlite();
    let file = tokens(&db, "ada");
    let mut server = ServeProcess::start(&db, &["--test-tools", "--token-file", &file]).await;
    let session = Mcp::new(server.url()).with_token("old").initialize(REVISION).await;
    server.sigkill();
    tokens(&db, "ada.l");
    let _server = ServeProcess::start_at(server.address(), &db, &["--test-tools", "--token-file", &file]).await;
    assert_eq!(session.request("ping", json!({})).await.status, 404);
}
