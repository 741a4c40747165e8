//! Which requests open, keep, lose and end a session.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{House, LATEST, PING, SOON, assert_refused, assert_serves, initialize};
use crate::http::{Answer, Session};

const STRANGE: &str = "01234567-89ab-4cde-8f01-23456789abcd";

#[track_caller]
fn new_id(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.header("mcp-session-id").expect("a session").to_owned();
    assert_eq!(Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(4), "{id}");
    assert!(answer.header("x-archon-session-id").is_some_and(|id| Uuid::parse_str(id).is_ok()));
    id
}

/// Waits until the server has learned of an end that was made behind its back.
async fn refusal_of(session: &Session) -> Answer {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = session.request("ping", json!({})).await;
        if answer.status != 200 {
            return answer;
        }
        assert!(Instant::now() < deadline, "an end that nobody honours");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn initialize_opens_a_new_session_whatever_id_comes_along() {
    let house = House::open(&[]).await;
    let (live, ended) = (house.session().await, house.session().await);
    assert_eq!(ended.delete().await.status, 204);
    let mut seen = HashSet::from([live.id.clone(), ended.id.clone()]);
    assert!(seen.insert(new_id(&house.post(&[], initialize(LATEST)).await)));
    for previous in [live.id.as_str(), ended.id.as_str(), STRANGE] {
        let id = new_id(&house.post(&[("mcp-session-id", previous)], initialize(LATEST)).await);
        assert!(seen.insert(id.clone()), "{id} twice");
        let event = format!("kind = 'reinitialised' AND protocol_session_id = '{id}' AND reason LIKE '%{previous}%'");
        house.until(&format!("SELECT count(*) FROM archon_mcp_session_events WHERE {event}"), "1").await;
    }
    for garbage in ["", "x", "two words", "' OR 1=1 --", &"x".repeat(10_000)] {
        let id = new_id(&house.post(&[("mcp-session-id", garbage)], initialize(LATEST)).await);
        assert!(seen.insert(id));
    }
    assert_eq!(live.request("ping", json!({})).await.status, 200, "the old one lives on");
}

#[tokio::test]
async fn is_usable_without_the_initialized_notification() {
    let house = House::open(&[]).await;
    let id = new_id(&house.post(&[], initialize(LATEST)).await);
    let list = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
    let answer = house.post(&[("mcp-session-id", &id)], list).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("l")));
    assert!(answer.json()["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 5));
}

#[tokio::test]
async fn other_methods_need_an_id_that_was_issued() {
    let house = House::open(&[]).await;
    for body in [PING, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#] {
        let json = assert_refused(&house.post(&[], body).await, 400, -32000, "session_required");
        assert!(json["error"]["data"]["hint"].as_str().expect("a hint").contains("initialize"), "{json}");
        assert_refused(&house.post(&[("mcp-session-id", STRANGE)], body).await, 404, -32001, "session_unknown");
    }
    let answer = house.post(&[("mcp-session-id", STRANGE)], PING).await;
    assert_eq!(answer.json()["id"], 7, "a refusal answers its request");
}

#[tokio::test]
async fn of_many_deletes_one_ends_the_session_and_all_have_what_they_asked_for() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let answers = join_all((0..8).map(|_| session.delete())).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [204; 8]);
    let by_client = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE disconnect_reason = 'client_disconnect'";
    assert_eq!(house.db.value(by_client), "1");
}

#[tokio::test]
async fn delete_ends_once_and_says_when_and_by_whom() {
    let house = House::open(&[]).await;
    let (session, other) = (house.session().await, house.session().await);
    let answer = session.delete().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref());
    let json = assert_refused(&session.request("ping", json!({})).await, 404, -32001, "session_ended");
    let data = &json["error"]["data"];
    let at = data["ended_at"].as_str().expect("when");
    assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok(), "{at}");
    assert_eq!(data["ended_by"], "client");
    let message = json["error"]["message"].as_str().expect("a message");
    assert!(message.contains(at) && message.contains("client_disconnect by client"), "{message}");
    assert_eq!(session.delete().await.status, 204, "it is as it was asked for");
    let again = assert_refused(&refusal_of(&session).await, 404, -32001, "session_ended");
    assert_eq!(again["error"], json["error"], "and as it was");
    assert_refused(&house.request("DELETE /mcp", &[], "").await, 400, -32000, "session_required");
    let strange = [("mcp-session-id", STRANGE)];
    assert_refused(&house.request("DELETE /mcp", &strange, "").await, 404, -32001, "session_unknown");
    assert_serves(&other).await;
}

#[tokio::test]
async fn an_end_typed_by_hand_counts() {
    let house = House::open(&[]).await;
    let (one, other) = (house.session().await, house.session().await);
    let update = "UPDATE archon_mcp_protocol_sessions SET status = 'expired' WHERE protocol_session_id";
    house.db.rows(&format!("{update} = '{}'", one.id));
    let json = assert_refused(&refusal_of(&one).await, 404, -32001, "session_ended");
    assert_eq!(json["error"]["data"]["ended_by"], "operator", "{json}");
    assert!(json["error"]["data"]["ended_at"].is_string(), "{json}");
    // The guide's way: by the analytics session, which exists from the first call on.
    assert_serves(&other).await;
    let archon = other.archon.as_deref().expect("an Archon session");
    house.db.rows(&format!(
        "UPDATE archon_mcp_sessions SET status = 'disconnected', disconnect_reason = 'error' WHERE session_id = '{archon}'"
    ));
    let json = assert_refused(&refusal_of(&other).await, 404, -32001, "session_ended");
    assert!(json["error"]["data"]["ended_at"].is_string(), "{json}");
}

#[tokio::test]
async fn the_alias_is_read_and_two_that_differ_are_refused() {
    let house = House::open(&[]).await;
    let (one, other) = (house.session().await, house.session().await);
    assert_eq!(house.post(&[("x-mcp-session-id", &one.id)], PING).await.status, 200);
    let both = |a: &'static str, b: &'static str| [(a, one.id.as_str()), (b, other.id.as_str())];
    for headers in [both("mcp-session-id", "x-mcp-session-id"), both("mcp-session-id", "mcp-session-id")] {
        assert_refused(&house.post(&headers, PING).await, 400, -32000, "two_sessions");
        assert_refused(&house.request("DELETE /mcp", &headers, "").await, 400, -32000, "two_sessions");
        assert_refused(&house.post(&headers, initialize(LATEST)).await, 400, -32000, "two_sessions");
    }
    let same = [("mcp-session-id", one.id.as_str()), ("x-mcp-session-id", &one.id)];
    assert_eq!(house.post(&same, PING).await.status, 200);
    assert_serves(&other).await;
}

#[tokio::test]
async fn every_answer_in_a_session_carries_its_archon_id() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let batch = format!("[{PING}]");
    let bodies = [
        PING,
        r#"{"jsonrpc":"2.0","method":"notifications/x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_panic"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"heartbeat"}}"#,
        &batch,
    ];
    for body in bodies {
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref(), "{body}: {}", answer.text());
        assert_eq!(answer.header("mcp-session-id"), None, "only initialize issues: {body}");
    }
}
