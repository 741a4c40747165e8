//! The stream that a client holds open to hear what is not an answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{House, SOON, assert_refused};
use crate::http::Connection;

const STREAM: (&str, &str) = ("accept", "text/event-stream");

/// Opens the stream of a session, and reads its head and its first comment.
async fn listen(house: &House, session: &str) -> Connection {
    let mut connection = house.connect().await;
    connection.request("GET /mcp", &[("mcp-session-id", session), STREAM], "").await.expect("sent");
    let head = connection.head().await.expect("a head");
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(connection.chunk().await.expect("a chunk").as_deref(), Some(&b": listening\n\n"[..]));
    connection
}

/// The stream ends, and soon.
async fn ends(connection: &mut Connection) {
    let end = async {
        while let Ok(Some(chunk)) = connection.chunk().await {
            assert!(chunk.starts_with(b": "), "{}", String::from_utf8_lossy(&chunk));
        }
    };
    timeout(Duration::from_secs(5), end).await.expect("it goes on");
}

#[tokio::test]
async fn a_newer_stream_takes_the_place_of_the_older() {
    let house = House::open(&[]).await;
    let (session, other) = (house.session().await, house.session().await);
    let mut apart = listen(&house, &other.id).await;
    let mut older = listen(&house, &session.id).await;
    let mut newer = listen(&house, &session.id).await;
    ends(&mut older).await;
    assert!(timeout(Duration::from_millis(300), newer.chunk()).await.is_err(), "the newer one goes on");
    assert_eq!(session.delete().await.status, 204);
    ends(&mut newer).await;
    assert!(timeout(Duration::from_millis(300), apart.chunk()).await.is_err(), "somebody else's goes on");
}

#[tokio::test]
async fn it_ends_with_its_session_whoever_ends_it() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let mut stream = listen(&house, &session.id).await;
    let sql = "UPDATE archon_mcp_protocol_sessions SET status = 'disconnected', disconnect_reason = 'operator'";
    house.db.rows(sql);
    ends(&mut stream).await;
    let headers = [("mcp-session-id", session.id.as_str()), STREAM];
    assert_refused(&house.request("GET /mcp", &headers, "").await, 404, -32001, "session_ended");
}

#[tokio::test]
async fn who_has_no_session_hears_nothing() {
    let house = House::open(&[]).await;
    let unknown = [("mcp-session-id", "00000000-0000-4000-8000-000000000000"), STREAM];
    assert_refused(&house.request("GET /mcp", &unknown, "").await, 404, -32001, "session_unknown");
    let two = [("mcp-session-id", "abcdefgh"), ("x-mcp-session-id", "hgfedcba"), STREAM];
    assert_refused(&house.request("GET /mcp", &two, "").await, 400, -32000, "two_sessions");
    let session = house.session().await;
    let modern = [("mcp-session-id", session.id.as_str()), ("mcp-protocol-version", "2026-07-28"), STREAM];
    assert_refused(&house.request("GET /mcp", &modern, "").await, 400, -32000, "legacy_only");
}

/// A stop waits for nobody who listens.
#[tokio::test]
async fn a_stop_ends_the_streams() {
    let mut house = House::open(&[]).await;
    let session = house.session().await;
    let mut stream = listen(&house, &session.id).await;
    let began = Instant::now();
    house.server.sigterm();
    ends(&mut stream).await;
    drop(stream);
    assert_eq!(house.server.ended(SOON).await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

/// Listening is no use of a session, and yet it goes on: its time runs anew, and it is seen.
#[tokio::test]
async fn listening_is_seen_and_is_no_use() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let column = |name: &str| house.db.value(&format!("SELECT COALESCE({name}, '') FROM archon_mcp_protocol_sessions"));
    let valid = column("expires_at");
    assert_eq!(column("stream_at"), "");
    // Whatever the handshake has touched was before it.
    sleep(Duration::from_millis(20)).await;
    let _stream = listen(&house, &session.id).await;
    let deadline = Instant::now() + SOON;
    while column("stream_at").is_empty() {
        assert!(Instant::now() < deadline, "not seen");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(column("expires_at") > valid);
    assert!(column("last_activity") < column("stream_at"));
}

/// Who holds a stream without reading is cut off by the write timeout, and many are served beside each other.
#[tokio::test]
async fn many_listen_and_calls_go_on() {
    let house = Arc::new(House::open(&[]).await);
    let mut streams = Vec::new();
    for _ in 0..50 {
        let session = house.session().await;
        streams.push(listen(&house, &session.id).await);
    }
    let session = house.session().await;
    let text = session.call("test_echo", json!({"text": "x"})).await;
    assert_eq!(text["structuredContent"]["text"], "x");
    let open = house.request("GET /metrics", &[], "").await.text();
    assert!(open.lines().any(|line| line.starts_with("archonctl_open_streams") && line.ends_with(" 50")), "{open}");
}
