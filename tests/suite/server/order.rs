//! The guards stand in their order: a request that is wrong in every way is told of the first, and when that is mended of
//! the next.

use super::access::with_tokens;
use super::{House, assert_refused};
use crate::http::Answer;

/// Too large to be read to its end, and never sent.
const ENDLESS: (&str, &str) = ("Content-Length", "104857600");

async fn told(house: &House, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut connection = house.connect().await;
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let head: Vec<_> = [format!("{line} HTTP/1.1\r\n")].into_iter().chain(lines).collect();
    connection.send(head.concat() + "\r\n" + body).await.expect("sent");
    connection.answer().await.expect("an answer")
}

#[tokio::test]
async fn one_after_the_other() {
    let house = with_tokens(&[]).await;
    let mut headers = vec![
        ("Host", "evil.example, evil.example"),
        ("Origin", "http://evil.example"),
        ("Authorization", "Bearer wrong"),
        ("Content-Type", "text/plain"),
        ("Content-Encoding", "gzip"),
        ("Accept", "*/*;q=0"),
        ENDLESS,
        ("MCP-Protocol-Version", "1999-01-01"),
        ("Mcp-Session-Id", "one-session, another"),
    ];
    let set = |headers: &mut Vec<(&str, &str)>, place: usize, value: &'static str| headers[place].1 = value;
    let wrong = "PUT /nothing";
    assert_refused(&told(&house, wrong, &headers, "").await, 400, -32000, "bad_host");
    set(&mut headers, 0, "evil.example");
    let stranger = told(&house, wrong, &headers, "").await.json().to_string();
    assert!(stranger.contains("--allow-host"), "{stranger}");
    set(&mut headers, 0, "localhost");
    let stranger = told(&house, wrong, &headers, "").await.json().to_string();
    assert!(stranger.contains("--allow-origin"), "{stranger}");
    set(&mut headers, 1, "http://localhost");
    let asking = [&headers[..], &[("Access-Control-Request-Method", "PUT")]].concat();
    assert_eq!(told(&house, "OPTIONS /nothing", &asking, "").await.status, 204);
    assert!(told(&house, "PUT /register", &headers, "").await.json()["error"].is_string());
    assert_refused(&told(&house, "PUT /healthz", &headers, "").await, 405, -32000, "method_not_allowed");
    assert_eq!(told(&house, "GET /", &headers, "").await.status, 200);
    assert_refused(&told(&house, wrong, &headers, "").await, 401, -32000, "unauthorized");
    set(&mut headers, 2, "Bearer a");
    assert_refused(&told(&house, wrong, &headers, "").await, 404, -32000, "not_found");
    assert_refused(&told(&house, "PUT /mcp", &headers, "").await, 405, -32000, "method_not_allowed");
    let line = "POST /mcp";
    assert_refused(&told(&house, line, &headers, "").await, 415, -32000, "content_type");
    set(&mut headers, 3, "application/json");
    assert_refused(&told(&house, line, &headers, "").await, 415, -32000, "content_encoding");
    set(&mut headers, 4, "identity");
    assert_refused(&told(&house, line, &headers, "").await, 406, -32000, "not_acceptable");
    set(&mut headers, 5, "*/*");
    assert_refused(&told(&house, line, &headers, "").await, 413, -32000, "too_large");
    set(&mut headers, 6, "40");
    let (broken, whole) = ("{".repeat(40), r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
    assert_refused(&told(&house, line, &headers, &broken).await, 400, -32700, "parse_error");
    assert_refused(&told(&house, line, &headers, whole).await, 400, -32000, "unsupported_version");
    set(&mut headers, 7, "2025-11-25");
    let two = assert_refused(&told(&house, line, &headers, whole).await, 400, -32000, "two_sessions");
    assert_eq!(two["id"], 7, "it was read by then");
    set(&mut headers, 8, "one-session");
    assert_refused(&told(&house, line, &headers, whole).await, 404, -32001, "session_unknown");
}
