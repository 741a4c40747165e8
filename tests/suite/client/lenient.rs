//! Careless servers: what they write otherwise than the specification is read all the same, and nothing grows without bound.

use std::time::{Duration, Instant};

use archonctl::client::{Client, ClientError, ClientOptions, ProtocolError};
use axum::http::HeaderValue;
use serde_json::{Value, json};

use crate::faulty::Seen;
use crate::field::{Field, JSON, STREAM, polite, raw, tool};

fn options(server: &Field) -> ClientOptions {
    ClientOptions::new(&server.url).expect("a URL")
}

/// Connects, lists and calls against a server that writes its answers so.
async fn visit(write: fn(Value) -> (&'static str, String)) -> Field {
    let server = Field::start(move |asked: &Seen, _| {
        let is_request = asked.message.get("id").is_some() && asked.message.get("method").is_some();
        let (kind, body) = write(polite(asked));
        raw(200, kind, body).filter(|_| is_request)
    });
    let server = server.await;
    let client = Client::connect(options(&server)).await.expect("connected");
    assert_eq!(client.list_tools().await.expect("tools").len(), 1);
    assert_eq!(client.call_tool("echo", json!({"n": 1})).await.expect("an answer").text(), r#"{"n":1}"#);
    assert_eq!(server.count("tools/call"), 1);
    server
}

fn with_id(mut answer: Value, id: fn(&Value) -> Value) -> Value {
    answer["id"] = id(&answer["id"]);
    answer
}

#[tokio::test]
async fn ids_as_texts_or_fractions() {
    visit(|answer| (JSON, with_id(answer, |id| json!(id.to_string())).to_string())).await;
    visit(|answer| (JSON, with_id(answer, |id| json!(id.as_f64())).to_string())).await;
    visit(|answer| (STREAM, format!("data: {}\n\n", with_id(answer, |id| json!(id.to_string()))))).await;
}

#[tokio::test]
async fn answers_in_arrays_with_questions_among_them() {
    visit(|answer| (JSON, json!([answer]).to_string())).await;
    visit(|answer| (STREAM, format!("data: {}\n\n", json!([answer])))).await;
    let server = visit(|answer| {
        let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
        let question = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
        let foreign = json!({"jsonrpc": "2.0", "id": 99, "result": {}});
        (JSON, json!([note, question, foreign, answer]).to_string())
    });
    assert_eq!(server.await.count("a reply"), 3, "each of three questions is answered");
}

#[tokio::test]
async fn a_byte_order_mark_before_the_answer() {
    visit(|answer| (JSON, format!("\u{feff}{answer}"))).await;
    visit(|answer| (STREAM, format!("\u{feff}data: {answer}\n\n"))).await;
}

#[tokio::test]
async fn one_malformed_tool_among_good_ones() {
    let server = Field::start(|asked, _| {
        let bad = json!({"name": "bad", "inputSchema": {}, "annotations": 7});
        let result = json!({"tools": [tool("echo"), bad, null, tool("other")]});
        let is_list = asked.method == "tools/list";
        is_list.then(|| raw(200, JSON, json!({"jsonrpc": "2.0", "id": 2, "result": result}).to_string())).flatten()
    });
    let client = Client::connect(options(&server.await)).await.expect("connected");
    let tools = client.list_tools().await.expect("tools");
    assert_eq!(tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>(), ["echo", "other"]);
}

/// A server with a page for each request for one, by its number.
async fn paged(page: fn(usize) -> Value) -> Field {
    Field::start(move |asked, nth| {
        let result = (asked.method == "tools/list").then(|| page(nth))?;
        raw(200, JSON, json!({"jsonrpc": "2.0", "id": asked.message["id"], "result": result}).to_string())
    })
    .await
}

#[tokio::test]
async fn a_cursor_that_does_not_advance_ends_the_list() {
    for page in [
        |_| json!({"tools": [tool("echo")], "nextCursor": ""}),
        |n: usize| json!({"tools": [tool("echo")], "nextCursor": n.to_string()}),
    ] {
        let server = paged(page).await;
        let client = Client::connect(options(&server)).await.expect("connected");
        assert_eq!(client.list_tools().await.expect("tools").len(), 1, "{}", page(1));
        assert!(server.count("tools/list") <= 2, "{}", page(1));
    }
}

#[tokio::test]
async fn a_cursor_that_comes_twice_is_an_error() {
    for page in [
        |n: usize| json!({"tools": [tool(&n.to_string())], "nextCursor": "again"}),
        |n: usize| json!({"tools": [tool(&n.to_string())], "nextCursor": 0}),
        |n: usize| json!({"tools": [tool(&n.to_string())], "nextCursor": (n % 3).to_string()}),
        |_| json!({"tools": [], "nextCursor": "empty"}),
    ] {
        let server = paged(page).await;
        let client = Client::connect(options(&server)).await.expect("connected");
        let error = client.list_tools().await.expect_err("a circle").to_string();
        assert!(error.contains("comes twice"), "{error}");
        assert!(server.count("tools/list") <= 4, "{}", page(1));
    }
}

#[tokio::test]
async fn all_pages_have_one_deadline() {
    let server = paged(|n| {
        std::thread::sleep(Duration::from_millis(40));
        json!({"tools": [tool(&n.to_string())], "nextCursor": n.to_string()})
    });
    let mut options = options(&server.await);
    options.timeout = Duration::from_millis(400);
    let client = Client::connect(options).await.expect("connected");
    let began = Instant::now();
    let error = client.list_tools().await.expect_err("no end");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn all_pages_have_one_bound_of_bytes() {
    let server = paged(|n| {
        let mut tool = tool(&n.to_string());
        tool["description"] = json!("x".repeat(6 << 20));
        json!({"tools": [tool], "nextCursor": n.to_string()})
    });
    let server = server.await;
    let client = Client::connect(options(&server)).await.expect("connected");
    let error = client.list_tools().await.expect_err("too much");
    assert!(matches!(error, ClientError::Protocol(ProtocolError::TooLarge { limit }) if limit == 16 << 20), "{error}");
    assert_eq!(server.count("tools/list"), 3, "three of 6 MiB are more than the 16 MiB that one answer may have");
}

#[tokio::test]
async fn an_id_that_could_not_be_sent_back_is_refused_at_once() {
    for id in [&b"has space"[..], b"tab\tinside", "umlaut-\u{e4}".as_bytes()] {
        let server = Field::start(move |asked, _| {
            let mut response = raw(200, JSON, polite(asked).to_string()).filter(|_| asked.method == "initialize")?;
            response.headers_mut().insert("mcp-session-id", HeaderValue::from_bytes(id).expect("a header"));
            Some(response)
        });
        let server = server.await;
        let error = Client::connect(options(&server)).await.expect_err("no id");
        assert!(matches!(error, ClientError::Protocol(ProtocolError::SessionId { .. })), "{error}");
        assert_eq!(server.count("notifications/initialized"), 0);
    }
}

#[tokio::test]
async fn an_archon_id_that_could_not_be_sent_back_is_passed_over() {
    let server = Field::start(|asked, _| {
        let mut response = raw(200, JSON, polite(asked).to_string()).filter(|_| asked.message.get("id").is_some())?;
        response.headers_mut().insert("x-archon-session-id", "not one".parse().expect("a header"));
        Some(response)
    });
    let client = Client::connect(options(&server.await)).await.expect("connected");
    client.call_tool("echo", json!({})).await.expect("an answer");
    assert_eq!(client.session().archon_id, None);
}
