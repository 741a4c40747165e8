//! What a call says before its answer: progress, log messages, questions; and what a client that does not hear is spared.

use serde_json::{Value, json};

use super::{House, LATEST, call};
use crate::http::{Connection, Mcp, Session};
use crate::process::ServeProcess;

const STREAM: &str = "text/event-stream";

/// A session whose client answers questions of these kinds.
async fn session_that(house: &House, capabilities: Value, revision: &str) -> Session {
    let params = json!({"protocolVersion": revision, "capabilities": capabilities, "clientInfo": {"name": "suite"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let answer = house.post(&[], body.to_string()).await;
    Mcp::new(house.server.url()).known(answer.header("mcp-session-id").expect("an id"), revision)
}

/// `tools/call` whose client wants to know how it goes.
fn call_with_token(token: &Value, tool: &str, arguments: &Value) -> String {
    let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": token}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

/// The messages of an event stream.
fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|json| serde_json::from_str(json).expect("json")).collect()
}

#[tokio::test]
async fn progress_comes_before_the_answer_to_who_asked_for_it() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for token in [json!("a\"b"), json!(7)] {
        let steps = json!({"steps": 3, "pause_ms": 20});
        let answer = session.post(&[], call_with_token(&token, "test_progress", &steps)).await.expect("an answer");
        assert_eq!(answer.header("content-type"), Some(STREAM));
        assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref());
        let events = events(&answer.text());
        assert_eq!(events.len(), 4, "{events:?}");
        for (step, event) in (1..).zip(&events[..3]) {
            assert_eq!(event["method"], "notifications/progress");
            let params = json!({"progressToken": token, "progress": f64::from(step), "total": 3.0, "message": format!("step {step}")});
            assert_eq!(event["params"], params);
        }
        assert_eq!(events[3]["result"]["structuredContent"], json!({"steps": 3}));
    }
    // One that is done before anybody could look says it all the same.
    let quick = session.post(&[], call_with_token(&json!(1), "test_progress", &json!({"steps": 2}))).await;
    assert_eq!(events(&quick.expect("an answer").text()).len(), 3);
    // Who asks for no progress, or reads no streams, gets none.
    let body = call(1, "test_progress", json!({"steps": 3}));
    let silent = session.post(&[], body).await.expect("an answer");
    assert_eq!(silent.header("content-type"), Some("application/json"));
    let deaf = session
        .post(&[("accept", "application/json")], call_with_token(&json!(1), "test_progress", &json!({"steps": 3})));
    assert_eq!(deaf.await.expect("an answer").json()["result"]["structuredContent"]["steps"], 3);
    for nonsense in [json!({}), json!(null), json!([1]), json!(true)] {
        let body = call_with_token(&nonsense, "test_progress", &json!({"steps": 1}));
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{nonsense}");
    }
    house.newest_row("status", "tool_name = 'test_progress'", "success").await;
}

#[tokio::test]
async fn log_messages_are_of_the_level_that_was_asked_for() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let heard = async || {
        let answer = session.post(&[], call(1, "test_log", json!({}))).await.expect("an answer");
        let events = events(&answer.text());
        events.iter().filter_map(|event| event["params"]["level"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(heard().await.first().map(String::as_str), Some("info"), "until somebody says otherwise");
    for (level, count) in [("debug", 8), ("warning", 5), ("emergency", 1)] {
        let set = session.request("logging/setLevel", json!({"level": level})).await;
        assert_eq!(set.json()["result"], json!({}));
        let levels = heard().await;
        assert_eq!((levels.len(), levels[0].as_str()), (count, level));
    }
    for nonsense in [json!({"level": "loud"}), json!({}), json!({"level": 1})] {
        assert_eq!(session.request("logging/setLevel", nonsense).await.json()["error"]["code"], -32602);
    }
    assert_eq!(heard().await, ["emergency"]);
}

/// Asks with `test_ask`, and answers the question with this; the result of the call.
async fn asked(house: &House, session: &Session, what: &str, answer: impl Fn(&Value) -> Value) -> (Value, Value) {
    let mut connection = Connection::open(house.server.address()).await.expect("a connection");
    let headers = [
        ("mcp-session-id", session.id.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    connection.request("POST /mcp", &headers, &call(1, "test_ask", json!({"what": what}))).await.expect("sent");
    let head = connection.head().await.expect("a head");
    assert_eq!(head.header("content-type"), Some(STREAM));
    let mut next = async || {
        let chunk = connection.chunk().await.expect("a chunk").expect("more");
        events(&String::from_utf8_lossy(&chunk)).remove(0)
    };
    let question = next().await;
    let answered = session.post(&[], answer(&question).to_string()).await.expect("an answer");
    assert_eq!((answered.status, answered.text()), (202, String::new()));
    (question, next().await)
}

#[tokio::test]
async fn a_question_is_answered_by_its_client() {
    let house = House::open(&[]).await;
    let all = json!({"elicitation": {}, "sampling": {}, "roots": {}});
    let session = session_that(&house, all, LATEST).await;
    for (what, method) in
        [("elicitation", "elicitation/create"), ("sampling", "sampling/createMessage"), ("roots", "roots/list")]
    {
        let result = json!({"action": "accept", "content": {"name": what}});
        let (question, answer) =
            asked(&house, &session, what, |q| json!({"jsonrpc": "2.0", "id": q["id"], "result": result})).await;
        assert_eq!(question["method"], method);
        assert!(question["params"].is_object());
        assert_eq!(answer["result"]["structuredContent"]["answer"], result);
    }
    let error = json!({"code": -1, "message": "not today"});
    let (_, answer) =
        asked(&house, &session, "roots", |q| json!({"jsonrpc": "2.0", "id": q["id"], "error": error})).await;
    assert_eq!(answer["result"]["isError"], true);
    assert!(answer.to_string().contains("the client declined: not today"), "{answer}");
    // Answers to what was never asked, or was asked of somebody else, change nothing.
    let nobody = json!({"jsonrpc": "2.0", "id": "x", "result": {}}).to_string();
    assert_eq!(session.post(&[], nobody).await.expect("an answer").status, 202);
}

#[tokio::test]
async fn who_cannot_answer_is_not_asked() {
    let house = House::open(&[]).await;
    let deaf = session_that(&house, json!({"sampling": {}}), LATEST).await;
    let refused = deaf.call("test_ask", json!({"what": "elicitation"})).await;
    assert_eq!(refused["isError"], true);
    assert!(refused.to_string().contains("the client does not answer elicitation/create"), "{refused}");
    // It reads one answer and no stream.
    let body = call(1, "test_ask", json!({"what": "sampling"}));
    let answer = deaf.post(&[("accept", "application/json")], body).await.expect("an answer");
    assert!(answer.text().contains("hears no questions"), "{}", answer.text());
}

/// What a client can do is known after a restart, too.
#[tokio::test]
async fn capabilities_outlive_the_server() {
    let mut house = House::open(&[]).await;
    let session = session_that(&house, json!({"roots": {}}), LATEST).await;
    session.call("test_echo", json!({"text": "x"})).await;
    let address = house.server.address().to_owned();
    house.server.sigkill();
    house.server = ServeProcess::start_at(&address, &house.db, &["--test-tools"]).await;
    let (question, _) =
        asked(&house, &session, "roots", |q| json!({"jsonrpc": "2.0", "id": q["id"], "result": {"roots": []}})).await;
    assert_eq!(question["method"], "roots/list");
}

#[tokio::test]
async fn contents_are_of_every_kind() {
    let house = House::open(&[]).await;
    let result = house.session().await.call("test_contents", json!({})).await;
    let kinds: Vec<_> = result["content"].as_array().expect("a list").iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["text", "image", "audio", "resource_link", "resource"]);
    assert_eq!(result.get("structuredContent"), None);
    house.newest_row("status", "tool_name = 'test_contents'", "success").await;
}
