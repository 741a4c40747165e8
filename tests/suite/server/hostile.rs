//! Whatever a hostile client puts into a well-formed request: never a 500, and never a neighbour's problem.

use serde_json::{Value, json};

use super::{House, LATEST, PING, assert_refused, assert_serves, call, initialize, resident};
use crate::databases::{Database, on_every_database};
use crate::http::Answer;

/// Deeper than any parser's stack.
const DEEP: usize = 10_000;

#[track_caller]
fn assert_no_5xx(what: &str, answer: &Answer) {
    assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.text());
}

#[tokio::test]
async fn session_ids_that_nobody_issued() {
    let house = House::open(&[]).await;
    let (neighbour, ended) = (house.session().await, house.session().await);
    ended.delete().await;
    let upper = neighbour.id.to_uppercase();
    let ids = [
        "short",
        &"x".repeat(10 * 1024),
        "n\u{fc}l-n\u{fc}l-n\u{fc}l",
        "'; DROP TABLE archon_mcp_protocol_sessions; --",
        "'OR/**/1=1--",
        "../../../etc/passwd",
        "%00%00%00%00%00%00",
        &format!("{}x", neighbour.id),
        &upper,
        &ended.id,
    ];
    for id in ids.into_iter().filter(|id| *id != neighbour.id) {
        let reason = if id == ended.id { "session_ended" } else { "session_unknown" };
        let answer = house.post(&[("mcp-session-id", id)], PING).await;
        assert_refused(&answer, 404, -32001, reason);
        let deleted = house.request("DELETE /mcp", &[("mcp-session-id", id)], "").await;
        if id == ended.id {
            assert_eq!(deleted.status, 204, "one's own is ended, which is what was asked for");
        } else {
            assert_refused(&deleted, 404, -32001, reason);
        }
    }
    for empty in ["", " ", "\t", " , "] {
        let none = [("mcp-session-id", empty)];
        assert_refused(&house.post(&none, PING).await, 400, -32000, "session_required");
        assert_refused(&house.request("DELETE /mcp", &none, "").await, 400, -32000, "session_required");
    }
    let two = [("mcp-session-id", neighbour.id.as_str()), ("mcp-session-id", &ended.id)];
    assert_refused(&house.post(&two, PING).await, 400, -32000, "two_sessions");
    assert_serves(&neighbour).await;
}

#[tokio::test]
async fn archon_ids_that_nobody_issued_are_replaced() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for id in ["", "x", "'; --", &"x".repeat(10 * 1024), "\u{fc}", "01234567-89ab-4cde-8f01-23456789abcd"] {
        let answer = session.post(&[("x-archon-session-id", id)], call(1, "heartbeat", json!({}))).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.header("x-archon-session-id")), (200, session.archon.as_deref()), "{id:.9}");
        let opened = house.post(&[("x-archon-session-id", id)], initialize(LATEST)).await;
        assert_eq!(opened.status, 200, "{}", opened.text());
        assert_ne!(opened.header("x-archon-session-id"), Some(id));
    }
}

/// Requests with a NUL in one place each. `"\u0000"` is legal JSON, and what PostgreSQL cannot store.
fn with_nul() -> Vec<(&'static str, String)> {
    let nul = "a\0b";
    let opening = |version: &str, capabilities: Value, info: Value| {
        let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": info});
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string()
    };
    let info = json!({"name": "suite", "version": "1"});
    let method = |id: &str, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method}).to_string();
    let project = json!({"action": "create", "title": nul, "description": nul, "github_repo": nul});
    vec![
        ("client name", opening(LATEST, json!({}), json!({"name": nul, "version": "1"}))),
        ("client version", opening(LATEST, json!({}), json!({"name": "suite", "version": nul}))),
        ("other client info", opening(LATEST, json!({}), json!({"name": "x", "version": "1", nul: [nul]}))),
        ("capabilities", opening(LATEST, json!({nul: {nul: nul}}), info.clone())),
        ("protocol version", opening(nul, json!({}), info)),
        ("id", method(nul, "ping")),
        ("id of a recorded request", method(nul, "tools/list")),
        ("method", method("1", nul)),
        ("tool name", call(1, nul, json!({}))),
        ("an argument's name", call(1, "test_echo", json!({nul: nul}))),
        ("an argument", call(1, "test_echo", json!({"text": nul}))),
        ("an error", call(1, "test_fail", json!({"message": nul}))),
        ("a new project", call(1, "manage_project", project)),
        ("an action", call(1, "manage_project", json!({"action": nul}))),
        ("a project's id", call(1, "manage_project", json!({"action": "delete", "project_id": nul}))),
        ("a search", call(1, "find_projects", json!({"query": nul}))),
        ("a search's id", call(1, "find_projects", json!({"project_id": nul}))),
    ]
}

on_every_database!(nul_in_every_string, |db| async {
    let house = House::open_on(db, &["--capture", "errors"]).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    for (place, body) in with_nul() {
        assert!(body.contains("\\u0000"), "{place}");
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(answer.status, 200, "{place}: {}", answer.text());
        let json = answer.json();
        assert_ne!(json["error"]["code"], -32603, "{place}: {json}");
        assert_eq!(answer.header("x-archon-record"), None, "{place}: its row is on disk");
        assert_serves(&neighbour).await;
    }
    let echo = session.call("test_echo", json!({"text": "a\0b"})).await;
    assert_eq!(echo["structuredContent"]["text"], "a\0b", "what is not stored is not changed");
    // Nothing was dropped: the rows are there, made fit.
    let failed =
        "SELECT count(*) FROM archon_mcp_requests WHERE tool_name = 'test_fail' AND error_message LIKE '%a%b%'";
    assert_eq!(house.db.value(failed), "1");
    let opened = "SELECT count(*) FROM archon_mcp_protocol_sessions";
    assert_eq!(house.db.value(opened), "7");
    let stored = "SELECT count(*) FROM archon_mcp_protocol_sessions WHERE client_capabilities IS NULL";
    assert_eq!(house.db.value(stored), "0");
});

#[tokio::test]
async fn json_nested_ten_thousand_deep() {
    let house = House::open(&[]).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    let nests = [
        format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
        format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP)),
        "[".repeat(DEEP),
        r#"{"a":"#.repeat(DEEP),
    ];
    let bodies = [
        "@",
        r#"{"jsonrpc":"2.0","id":@,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":@}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":@}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","extra":@}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":@}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":@}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":@}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":@}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_echo","arguments":@}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_echo","arguments":{"text":@}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"manage_project","arguments":{"action":"create","title":"t","features":@}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":@}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":@}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":@}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":@}}"#,
    ];
    for template in bodies {
        for nest in &nests {
            let answer = session.post(&[], template.replace('@', nest)).await.expect("an answer");
            assert_no_5xx(template, &answer);
        }
        assert_serves(&neighbour).await;
    }
}

#[tokio::test]
async fn broken_texts_inside_of_json() {
    let house = House::open(&[]).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    for text in
        [r#""\ud800""#, r#""\udc00\ud800""#, "1e999", "-0", r#""\u202e\ufeff""#, "123456789012345678901234567890"]
    {
        let bodies = [
            format!(r#"{{"jsonrpc":"2.0","id":{text},"method":"ping"}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":{text}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{text}}}}}"#),
            call(1, "test_echo", json!({"text": "@"})).replace("\"@\"", text),
            initialize(LATEST).replace("\"suite\"", text),
            initialize(LATEST).replace("\"capabilities\":{}", &format!("\"capabilities\":{{\"a\":{text}}}")),
        ];
        for body in bodies {
            let answer = session.post(&[], body.clone()).await.expect("an answer");
            assert_no_5xx(&body, &answer);
            assert!(!answer.text().contains("-32603"), "{body}: {}", answer.text());
            assert!(!answer.text().contains("\\ud800"), "an answer that nobody can read: {}", answer.text());
        }
    }
    assert_serves(&neighbour).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_initialize_costs_little_and_stops_nobody() {
    let house = House::open_on(Database::sqlite(), &[]).await;
    let neighbour = house.session().await;
    assert_serves(&neighbour).await;
    let before = resident(house.server.pid());
    let flood = (0..20).map(|_| {
        let mcp = house.mcp.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                let answer = mcp.post(&[], initialize(LATEST)).await.expect("an answer");
                assert!(matches!(answer.status, 200 | 429 | 503), "{} {}", answer.status, answer.text());
            }
        })
    });
    let flood: Vec<_> = flood.collect();
    while !flood.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_serves(&neighbour).await;
    }
    for task in flood {
        task.await.expect("a flood without failures");
    }
    assert_serves(&neighbour).await;
    let grown = resident(house.server.pid()).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB for 2,000 sessions");
}
