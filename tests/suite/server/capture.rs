//! What is kept of the words of calls: nothing, unless the operator asks, and never a secret.

use super::*;
use crate::databases::on_every_database;

const WORDS: &str = "SELECT r.tool_name, r.status, c.arguments, c.answer FROM archon_mcp_captures c \
                     JOIN archon_mcp_requests r ON r.boot = c.boot AND r.seq = c.seq ORDER BY c.seq";

/// One call that succeeds, one that fails, both with a secret.
async fn two_calls(house: &House) {
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x ghp_abcdefghijklmnopqrstuvwxyz0123456789"})).await;
    session.call("find_projects", json!({"page": -1, "api_key": "hunter2"})).await;
    house.until("SELECT COUNT(*) FROM archon_mcp_requests WHERE method = 'tools/call'", "2").await;
}

async fn words(db: Database, capture: &[&str]) -> (House, Vec<Vec<Option<String>>>) {
    let house = House::open_on(db, capture).await;
    two_calls(&house).await;
    let rows = house.db.rows(WORDS);
    (house, rows)
}

on_every_database!(all_words_are_kept_without_their_secrets, |db| async {
    let (house, rows) = words(db, &["--capture", "all"]).await;
    let [echo, find] = rows.as_slice() else { panic!("{rows:?}") };
    let text = |row: &[Option<String>], column: usize| row[column].clone().expect("a text");
    assert_eq!((text(echo, 0), text(echo, 1)), ("test_echo".to_owned(), "success".to_owned()));
    assert_eq!((text(echo, 2), &echo[3]), (json!({"text": "x [masked]"}).to_string(), &None));
    assert_eq!((text(find, 0), text(find, 1)), ("find_projects".to_owned(), "error".to_owned()));
    let arguments: Value = serde_json::from_str(&text(find, 2)).expect("json");
    assert_eq!(arguments, json!({"page": -1, "api_key": "[masked]"}));
    assert!(text(find, 3).contains("validation_error"), "{rows:?}");
    for table in ["archon_mcp_requests", "archon_mcp_captures"] {
        let everything = format!("{:?}", house.db.rows(&format!("SELECT * FROM {table}")));
        assert!(!everything.contains("hunter2") && !everything.contains("ghp_"), "{everything}");
    }
});

#[tokio::test]
async fn errors_alone_or_nothing() {
    let (_house, rows) = words(Database::sqlite(), &["--capture", "errors"]).await;
    assert_eq!(rows.iter().map(|row| row[0].as_deref()).collect::<Vec<_>>(), [Some("find_projects")]);
    let (_house, rows) = words(Database::sqlite(), &[]).await;
    assert!(rows.is_empty(), "off by default: {rows:?}");
}

/// What clients send in places where an error speaks of it.
fn speaking(value: &str) -> Vec<String> {
    let of = |tool: &str, arguments: Value| call(1, tool, arguments);
    let asks = |method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
    };
    vec![
        of("find_projects", json!({ "page": value })),
        of("find_projects", json!({ "query": value.repeat(200) })),
        of("find_projects", json!({ "project_id": value })),
        of("find_projects", json!({ value: 1 })),
        of("find_projects", json!([value])),
        of("find_projects", json!(value)),
        of("manage_project", json!({ "action": value })),
        of("manage_project", json!({ "action": "update", "project_id": value, "title": "a" })),
        of("manage_project", json!({ "action": "create", "title": value.repeat(200) })),
        of("manage_project", json!({ "action": "create", "title": [value] })),
        of("test_fail", json!({ "message": value })),
        of("no_such_tool", json!({ "secret": value })),
        asks("tools/call", json!({ "name": { value: 1 } })),
        asks("tools/call", json!(value)),
        asks("prompts/get", json!({ "name": [value] })),
        asks("prompts/get", json!({ "name": "no_such_prompt", "arguments": { "name": value } })),
        asks("resources/read", json!({ "uri": [value] })),
        asks("logging/setLevel", json!({ "level": value })),
        asks("completion/complete", json!({ "ref": value, "argument": value })),
        asks(
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "n", "value": value } }),
        ),
        asks("no/such/method", json!({ "secret": value })),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7, "reason": value }})
            .to_string(),
    ]
}

on_every_database!(with_capture_off_no_value_of_an_argument_is_kept_anywhere, |db| async {
    let house = House::open_on(db, &[]).await;
    let session = house.session().await;
    let sent = speaking("hunter2");
    for body in &sent {
        let answer = session.post(&[], body.as_str()).await.expect("an answer");
        assert!(matches!(answer.status, 200 | 202 | 400), "{body}: {}", answer.text());
    }
    session.call("heartbeat", json!({})).await;
    house.newest_row("status", "tool_name = 'heartbeat'", "success").await;
    house.until("SELECT CASE WHEN COUNT(*) > 0 THEN 1 ELSE 0 END FROM archon_mcp_rollups", "1").await;
    for table in [
        "archon_mcp_requests",
        "archon_mcp_captures",
        "archon_mcp_session_events",
        "archon_mcp_sessions",
        "archon_mcp_protocol_sessions",
        "archon_mcp_rollups",
        "archon_mcp_rollups_daily",
    ] {
        let everything = format!("{:?}", house.db.rows(&format!("SELECT * FROM {table}")));
        assert!(!everything.contains("hunter2"), "{table}: {everything}");
    }
    let metrics = house.request("GET /metrics", &[], "").await.text();
    assert!(metrics.contains("archonctl_requests_total") && !metrics.contains("hunter2"), "{metrics}");
    assert!(!house.server.lines().join("\n").contains("hunter2"));
    // It says what went wrong all the same.
    for message in
        ["validation_error: argument \"page\" does not fit", "validation_error: unknown argument", "no such tool"]
    {
        let rows = format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE error_message = '{message}'");
        assert_ne!(house.db.value(&rows), "0", "{message}");
    }
});
