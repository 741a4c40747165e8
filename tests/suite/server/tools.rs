//! Calls that do not end well: each is answered, and its row says how it ended.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{House, assert_serves, call};
use crate::http::Session;

/// Longer than any test waits.
const FOREVER: u64 = 600_000;

async fn posted(session: &Session, body: String) -> Value {
    let answer = session.post(&[], body).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What a result says to its reader.
fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_with_the_nearest_names() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let json = posted(&session, call("u", "find_project", json!({}))).await;
    assert_eq!((&json["id"], &json["error"]["code"]), (&json!("u"), &json!(-32602)));
    assert!(json["error"]["message"].as_str().is_some_and(|m| m.contains("find_projects")), "{json}");
    assert_eq!(json["error"]["data"]["reason"], "unknown_tool");
    house.newest_row("status", "tool_name = 'find_project'", "error").await;
    for name in ["", "heartbeat ", "HEARTBEAT", "zzzzzz", &"long".repeat(5000)] {
        assert_eq!(posted(&session, call(1, name, json!({}))).await["error"]["code"], -32602, "{name:.20}");
    }
    house.until("SELECT max(length(tool_name)) FROM archon_mcp_requests", "100").await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_a_tool_error_that_names_them() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let cases = [
        ("test_echo", json!({"text": 7}), "text"),
        ("test_echo", json!({}), "text"),
        ("test_sleep", json!({"ms": -1}), "ms"),
        ("test_sleep", json!({"ms": "1e99"}), "ms"),
        ("find_projects", json!({"page": "first"}), "page"),
        ("manage_project", json!({"action": "explode"}), "action"),
    ];
    for (tool, arguments, named) in cases {
        let result = session.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        assert!(text_of(&result).contains(named), "{tool} {arguments}: {result}");
        house.newest_row("status", &format!("tool_name = '{tool}'"), "error").await;
    }
    for arguments in [json!([]), json!("x"), json!(7)] {
        let result = session.call("test_echo", arguments.clone()).await;
        assert_eq!(result["isError"], true, "{arguments}: {result}");
    }
    assert_serves(&session).await;
}

#[tokio::test]
async fn a_failure_is_recorded_as_such() {
    let house = House::open(&["--capture", "errors"]).await;
    let session = house.session().await;
    let result = session.call("test_fail", json!({"message": "out of paper"})).await;
    assert_eq!(result["isError"], true);
    assert!(text_of(&result).contains("out of paper"));
    house.newest_row("status", "tool_name = 'test_fail'", "error").await;
    house.newest_row("error_message LIKE '%out of paper%'", "tool_name = 'test_fail'", "1").await;
}

#[tokio::test]
async fn a_panic_ends_the_call_alone() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for accept in ["application/json", "text/event-stream"] {
        let answer = session.post(&[("accept", accept)], call("p", "test_panic", json!({}))).await.expect("an answer");
        let json = answer.json();
        // Whose fault it was shows in the status, and whose answer it is in the body.
        assert_eq!((answer.status, &json["id"], &json["error"]["code"]), (500, &json!("p"), &json!(-32603)), "{json}");
        assert!(!answer.text().contains("test_panic was called"), "its message is ours: {json}");
    }
    house
        .until("SELECT count(*) FROM archon_mcp_requests WHERE tool_name = 'test_panic' AND status = 'error'", "2")
        .await;
    assert_serves(&session).await;
}

#[tokio::test]
async fn a_tool_out_of_time_is_cancelled_and_says_so() {
    let house = House::open(&["--tool-timeout", "200ms"]).await;
    let session = house.session().await;
    let began = Instant::now();
    let result = session.call("test_sleep", json!({"ms": FOREVER})).await;
    assert!((Duration::from_millis(200)..Duration::from_secs(5)).contains(&began.elapsed()));
    assert_eq!(result["isError"], true);
    assert!(text_of(&result).contains("200ms"), "{result}");
    house.newest_row("status", "tool_name = 'test_sleep'", "timeout").await;
    house.newest_row("duration_ms BETWEEN 200 AND 4999", "tool_name = 'test_sleep'", "1").await;
    assert_serves(&session).await;
}

#[tokio::test]
async fn a_cancel_ends_all_calls_of_its_id_and_no_other() {
    let house = House::open(&[]).await;
    let (session, neighbour) = (house.session().await, house.session().await);
    let sleeping = |session: &Session, id: &'static str, ms| {
        let session = session.clone();
        tokio::spawn(async move { posted(&session, call(id, "test_sleep", json!({"ms": ms}))).await })
    };
    let twins = [sleeping(&session, "twin", FOREVER), sleeping(&session, "twin", FOREVER)];
    let others = [sleeping(&session, "other", 1500), sleeping(&neighbour, "twin", 1500)];
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "twin"}});
    // Repeated until both have arrived: a notification may overtake a request on another connection.
    let deadline = Instant::now() + super::SOON;
    while !twins.iter().all(tokio::task::JoinHandle::is_finished) {
        assert!(Instant::now() < deadline, "a cancelled call goes on");
        assert_eq!(session.post(&[], cancel.to_string()).await.expect("an answer").status, 202);
        sleep(Duration::from_millis(20)).await;
    }
    for twin in twins {
        let json = twin.await.expect("joined");
        let said = json.to_string();
        assert!(json["id"] == "twin" && said.contains("cancel"), "{json}");
        assert!(json.get("error").is_some() || json["result"]["isError"] == true, "{json}");
    }
    for other in others {
        assert_eq!(other.await.expect("joined")["result"]["structuredContent"]["slept_ms"], 1500);
    }
    let cancelled = "tool_name = 'test_sleep' AND status = 'error' AND error_message LIKE '%cancel%'";
    house.until(&format!("SELECT count(*) FROM archon_mcp_requests WHERE {cancelled}"), "2").await;
}

#[tokio::test]
async fn two_calls_of_one_id_are_both_answered() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let nap = |ms: u64| posted(&session, call(1, "test_sleep", json!({"ms": ms})));
    let (long, short) = tokio::join!(nap(400), nap(100));
    assert_eq!(long["result"]["structuredContent"]["slept_ms"], 400);
    assert_eq!(short["result"]["structuredContent"]["slept_ms"], 100);
}

#[tokio::test]
async fn a_call_goes_on_when_its_client_hangs_up() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let mut connection = house.connect().await;
    let headers = [("mcp-session-id", session.id.as_str()), ("content-type", "application/json")];
    connection.request("POST /mcp", &headers, &call(1, "test_sleep", json!({"ms": 800}))).await.expect("sent");
    // It runs: the session was touched by it. Then the client is gone.
    sleep(Duration::from_millis(200)).await;
    drop(connection);
    house.newest_row("status", "tool_name = 'test_sleep'", "success").await;
    house.newest_row("duration_ms >= 800", "tool_name = 'test_sleep'", "1").await;
    assert_serves(&session).await;
}

#[tokio::test]
async fn a_call_whose_client_ends_the_session_is_cancelled_answered_and_late() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let (caller, began) = (session.clone(), Instant::now());
    let body = call(1, "test_sleep", json!({"ms": 60_000}));
    let running = tokio::spawn(async move { posted(&caller, body).await });
    let archon = session.archon.as_deref().expect("an Archon session");
    // The first call makes the Archon session as it begins.
    house.until(&format!("SELECT count(*) FROM archon_mcp_sessions WHERE session_id = '{archon}'"), "1").await;
    assert_eq!(session.delete().await.status, 204);
    let answer = running.await.expect("an answer");
    assert!(began.elapsed() < super::SOON, "it is not waited for");
    let message = answer["error"]["message"].as_str().expect("an error");
    assert!(message.contains("ended by the client (client_disconnect)"), "{message}");
    house.newest_row("late", "tool_name = 'test_sleep' AND status = 'error'", "1").await;
    assert_eq!(session.request("ping", json!({})).await.status, 404, "it is not revived");
}
