//! What clients call themselves, their tools and their methods: cleaned at the door, and harmless in every log.

use serde_json::json;

use super::LATEST;
use crate::databases::on_every_database;
use crate::harm::{NAME, all, assert_harmless};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;

/// Everything that a client can name.
async fn named(server: &ServeProcess, name: &str) -> Session {
    let info = json!({"name": name, "version": name, "title": name});
    let params = json!({"protocolVersion": LATEST, "capabilities": {name: {}}, "clientInfo": info});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let mcp = Mcp::new(server.url());
    let answer = mcp.post(&[], body.to_string()).await.expect("an answer");
    let session = mcp.known(answer.header("mcp-session-id").expect("a session"), LATEST);
    session.call("health_check", json!({})).await;
    session.request("tools/call", json!({"name": name, "arguments": {name: name}})).await;
    session.request(name, json!({})).await;
    session.request("prompts/get", json!({"name": name})).await;
    session.request("resources/read", json!({"uri": name})).await;
    let invalid = [("x-archon-session-id", "no-such-session")];
    let body = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "heartbeat"}});
    session.post(&invalid, body.to_string()).await.expect("an answer");
    session
}

on_every_database!(names_are_cleaned_at_the_door, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    for name in [NAME, &all(), "a\0b", "plain é 会 🙂"] {
        let cleaned = archonctl::model::text::name(name, 50);
        let session = named(&server, name).await;
        let of_session = format!("protocol_session_id = '{}'", session.id);
        let found = db.rows(&format!(
            "SELECT client_type, client_name, client_version FROM archon_mcp_protocol_sessions WHERE {of_session}"
        ));
        let found: Vec<_> = found[0].iter().flatten().collect();
        assert_eq!(found.len(), 3, "{name:?}");
        assert_eq!(*found[0], cleaned.trim(), "its type is its name, cut");
        for text in found {
            assert!(text.starts_with(cleaned.trim()), "{name:?}: {text:?}");
            assert_harmless(&text.replace('\n', "\0"), name);
        }
        let rows = db.rows(&format!(
            "SELECT method, coalesce(tool_name, '') FROM archon_mcp_requests WHERE {of_session} ORDER BY id"
        ));
        assert!(rows.iter().flatten().flatten().filter(|text| text.starts_with(&*cleaned)).count() >= 2, "{rows:?}");
        for text in rows.iter().flatten().flatten() {
            assert_harmless(&text.replace('\n', "\0"), name);
        }
    }
});

on_every_database!(whoever_archives_a_project_has_a_harmless_name, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let session = Mcp::new(server.url()).initialize(LATEST).await;
    session.call("manage_project", json!({"action": "create", "title": "Garden"})).await;
    let id = db.value("SELECT id FROM archon_projects");
    let by = format!("{NAME}{}", all());
    let archived = json!({"action": "archive", "project_id": id, "archived_by": by});
    let answer = session.call("manage_project", archived).await;
    assert_eq!(answer["structuredContent"]["success"], true, "{answer}");
    assert_eq!(db.value("SELECT archived_by FROM archon_projects"), archonctl::model::text::name(&by, 1000));
});

on_every_database!(no_log_obeys_a_name_whether_new_or_stored, |db| async {
    for format in ["text", "json"] {
        let arguments = ["--log-format", format];
        let debug = [("RUST_LOG", "archonctl=debug".into())];
        let mut server = ServeProcess::start_in(&debug, &db, &arguments).await;
        let session = named(&server, NAME).await;
        assert_logged(&server, format);
        server.sigkill();
        // As an older server has stored it.
        let name = format!("{NAME}{}", all()).replace('\'', "''");
        db.rows(&format!("UPDATE archon_mcp_protocol_sessions SET client_type = '{name}', client_name = '{name}'"));
        db.rows(&format!("UPDATE archon_mcp_sessions SET client_type = '{name}'"));
        let server = ServeProcess::start_at(server.address(), &db, &arguments).await;
        assert_eq!(session.request("ping", json!({})).await.status, 200);
        let line = server.wait_for_line("session goes on after a restart", super::SOON).await;
        assert!(line.contains("HYPERLINK"), "{line}");
        assert_logged(&server, format);
        // At the default level the log is no key to a session.
        let told = server.lines().into_iter().find(|line| line.contains(&session.id));
        assert_eq!(told, None);
    }
});

/// A line an event, and nothing in it but letters.
#[track_caller]
fn assert_logged(server: &ServeProcess, format: &str) {
    for line in server.lines() {
        assert_harmless(&line, format);
        let is_event = match format {
            "json" => serde_json::from_str::<serde_json::Value>(&line).is_ok_and(|event| event["level"].is_string()),
            _ => line.get(..2) == Some("20") && line.contains('Z'),
        };
        assert!(is_event, "{format}: {line:?}");
    }
}
