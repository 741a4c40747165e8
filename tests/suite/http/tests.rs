//! The helpers held against small servers of known behaviour.

use axum::extract::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;

use super::*;

/// Answers the first connection with these bytes, closes it, and tells what it was sent.
async fn canned(bytes: &'static [u8]) -> (Connection, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        let mut seen = vec![0; 4096];
        let count = stream.read(&mut seen).await.expect("read");
        stream.write_all(bytes).await.expect("write");
        String::from_utf8_lossy(&seen[..count]).into_owned()
    });
    (Connection::open(&address).await.expect("connect"), server)
}

#[tokio::test]
async fn reads_bodies_by_length_by_chunks_and_by_the_end() {
    let (mut connection, server) = canned(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\
          HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n\
          HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 Oh\r\n\r\nrest",
    )
    .await;
    connection.request("POST /mcp", &[("Host", "evil.example"), ("X", "1")], "{}").await.expect("send");
    let mut answers = Vec::new();
    for _ in 0..4 {
        let answer = connection.answer().await.expect("an answer");
        answers.push((answer.status, answer.text()));
    }
    let expected = [(200, "{}"), (404, "abc0123456789"), (204, ""), (500, "rest")];
    assert_eq!(answers, expected.map(|(status, text)| (status, text.to_owned())));
    assert!(connection.is_closed().await.expect("closed"));
    let sent = server.await.expect("the server");
    assert_eq!(sent, "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nX: 1\r\ncontent-length: 2\r\n\r\n{}");
}

#[tokio::test]
async fn a_cut_or_broken_answer_is_an_error() {
    for bytes in [&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"[..], b"SSH-2.0\r\n\r\n", b""] {
        let (mut connection, _server) = canned(bytes).await;
        connection.send("GET / HTTP/1.1\r\n\r\n").await.expect("send");
        assert!(!connection.is_closed().await.expect("look") || bytes.is_empty());
        assert!(connection.answer().await.is_err(), "{bytes:?}");
    }
}

/// As much of an MCP server as the client needs: one session, one tool that tells its arguments and the headers it saw.
async fn server(headers: HeaderMap, Json(message): Json<Value>) -> Response {
    let seen = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("none");
    let params = &message["params"];
    match message["method"].as_str() {
        Some("initialize") => {
            let result = json!({"id": 0, "result": {"protocolVersion": params["protocolVersion"]}});
            ([("mcp-session-id", "the-session"), ("x-archon-session-id", "the-archon")], Json(result)).into_response()
        }
        Some("notifications/initialized") => StatusCode::ACCEPTED.into_response(),
        Some("tools/call") => {
            let headers = ["mcp-session-id", "mcp-protocol-version", "authorization", "x-more"].map(seen);
            let answer = json!({"id": message["id"], "result": {"params": params, "headers": headers}});
            let events = format!("id: 1\ndata: \n\n: alive\n\nevent: message\ndata: {answer}\n\n");
            ([("content-type", "text/event-stream")], events).into_response()
        }
        _ => (StatusCode::NOT_FOUND, "no such method").into_response(),
    }
}

async fn served() -> Mcp {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/mcp", listener.local_addr().expect("address"));
    let routes = axum::Router::new().route("/mcp", post(server).delete(|| async { StatusCode::NO_CONTENT }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Mcp::new(&url)
}

#[tokio::test]
async fn a_session_calls_tools_and_ends() {
    let mcp = served().await;
    for (revision, version) in [("2025-03-26", "none"), ("2025-06-18", "2025-06-18")] {
        let session = mcp.initialize(revision).await;
        assert_eq!((session.id.as_str(), session.archon.as_deref()), ("the-session", Some("the-archon")));
        let result = session.call("health_check", json!({"a": 1})).await;
        let expected = json!({"name": "health_check", "arguments": {"a": 1}});
        assert_eq!(result, json!({"params": expected, "headers": ["the-session", version, "none", "none"]}));
        assert_eq!(session.request("nonsense", json!({})).await.status, 404);
        assert_eq!(session.delete().await.status, 204);
    }
    let session = mcp.with_token("secret").initialize_as("other", "2025-11-25").await;
    let body = json!({"id": 1, "method": "tools/call"}).to_string();
    let answer = session.post(&[("x-more", "more")], body).await.expect("an answer");
    let headers = &answer.json()["result"]["headers"];
    assert_eq!(*headers, json!(["the-session", "2025-11-25", "Bearer secret", "more"]));
}

#[tokio::test]
#[should_panic(expected = "left: 404")]
async fn a_refusal_is_a_failure() {
    let mut mcp = served().await;
    mcp.url = mcp.url.replace("/mcp", "/elsewhere");
    mcp.initialize("2025-11-25").await;
}
