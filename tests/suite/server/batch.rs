//! Batches: of 2025-03-26 alone.

use serde_json::{Value, json};

use super::{House, LATEST, PING, assert_refused, assert_serves, call, initialize};

const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;

#[tokio::test]
async fn requests_are_answered_in_their_order() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    let slow = call("slow", "test_sleep", json!({"ms": 200}));
    let quick = call("quick", "test_echo", json!({"text": "x"}));
    let unknown = r#"{"jsonrpc":"2.0","id":"unknown","method":"no/such"}"#;
    let batch = format!("[{slow},{NOTE},{quick},7,{unknown},{}]", initialize(LATEST));
    let answer = session.post(&[], batch).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("mcp-session-id"), None);
    let answers = answer.json();
    let ids: Vec<&Value> = answers.as_array().expect("a list").iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!("slow"), &json!("quick"), &Value::Null, &json!("unknown"), &json!(0)]);
    assert_eq!(answers[0]["result"]["isError"], false);
    let codes: Vec<&Value> = answers.as_array().expect("a list")[2..].iter().map(|a| &a["error"]["code"]).collect();
    assert_eq!(codes, [&json!(-32600), &json!(-32601), &json!(-32600)]);
    house.until("SELECT count(*) FROM archon_mcp_protocol_sessions", "1").await;
}

#[tokio::test]
async fn one_that_wants_no_answer_gets_none() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for batch in [format!("[{NOTE}]"), format!("[{NOTE},{NOTE}]"), format!("[{response},{NOTE}]")] {
        let answer = session.post(&[], batch).await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (202, ""));
    }
}

#[tokio::test]
async fn a_member_of_a_batch_is_an_object() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    let batch = format!(r#"[["2.0",1,"ping"],[{PING}],[],null]"#);
    let answers = session.post(&[], batch).await.expect("an answer").json();
    for answer in answers.as_array().expect("a list") {
        assert_eq!(answer["error"]["code"], -32600, "{answers}");
    }
    assert_eq!(answers.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn it_is_neither_empty_nor_endless() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    let of = |count: usize| format!("[{}]", vec![PING; count].join(","));
    let hundred = session.post(&[], of(100)).await.expect("an answer");
    assert_eq!((hundred.status, hundred.json().as_array().map(Vec::len)), (200, Some(100)));
    for count in [0, 101, 5000] {
        assert_refused(&session.post(&[], of(count)).await.expect("an answer"), 400, -32600, "invalid_request");
    }
    assert_serves(&house.session().await).await;
}

#[tokio::test]
async fn other_revisions_refuse_it() {
    let house = House::open(&[]).await;
    for revision in ["2024-11-05", "2025-06-18", LATEST] {
        let session = house.mcp.initialize(revision).await;
        let answer = session.post(&[], format!("[{PING}]")).await.expect("an answer");
        assert_refused(&answer, 400, -32600, "batch");
    }
    assert_refused(&house.post(&[], format!("[{}]", initialize(LATEST))).await, 400, -32000, "session_required");
}

#[tokio::test]
async fn one_cancel_meets_all_calls_of_its_id() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    // With its Archon session made, a call runs as soon as it is looked at, and members are looked at in their order.
    session.call("test_echo", json!({"text": "x"})).await;
    let twin = call("twin", "test_sleep", json!({"ms": 600_000}));
    let other = call("other", "test_sleep", json!({"ms": 10}));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"twin"}}"#;
    let answers = session.post(&[], format!("[{twin},{other},{twin},{cancel}]")).await.expect("an answer").json();
    assert_eq!(answers.as_array().map(Vec::len), Some(3), "{answers}");
    for (place, cancelled) in [true, false, true].into_iter().enumerate() {
        assert_eq!(answers[place].to_string().contains("cancel"), cancelled, "{answers}");
    }
}
