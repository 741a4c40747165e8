//! In what form an answer comes: JSON, or the one event of a stream.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{House, PING, assert_refused, assert_serves, call};
use crate::http::Answer;

const STREAM: &str = "text/event-stream";

#[tokio::test]
async fn the_accept_header_decides() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let id = ("mcp-session-id", session.id.as_str());
    let json_type = ("content-type", "application/json");
    let bare = house.request("POST /mcp", &[id, json_type], PING).await;
    assert_eq!((bare.status, bare.header("content-type")), (200, Some("application/json")), "no Accept at all");
    for accept in ["*/*", "application/json", "application/json, text/event-stream", "text/html", "", "\u{e9}"] {
        let answer = session.post(&[("accept", accept)], PING).await.expect("an answer");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{accept}");
    }
    let asked = |lines: &'static [&'static str]| {
        let lines = lines.iter().map(|line| ("accept", *line));
        let headers: Vec<_> = lines.chain([id, json_type]).collect();
        let house = &house;
        async move { house.request("POST /mcp", &headers, PING).await }
    };
    for lines in [
        &["TEXT/Event-Stream"][..],
        &["application/json;q=0", "text/event-stream"],
        &["text/event-stream , application/json ; Q=0.000"],
        &["text/*"],
        &["*/*, application/json;q=0"],
    ] {
        let answer = asked(lines).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(STREAM)), "{lines:?}");
    }
    for lines in
        [&["text/event-stream;q=0"][..], &["text/event-stream", "APPLICATION/JSON;q=0.1"], &["text/html", "*/*;q=0.5"]]
    {
        let answer = asked(lines).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{lines:?}");
    }
    for lines in [&["application/json;q=0"][..], &["*/*; q=0.0"], &["text/html", "application/*;q=0"]] {
        assert_refused(&asked(lines).await, 406, -32000, "not_acceptable");
    }
    let answer = session.post(&[("accept", STREAM)], PING).await.expect("an answer");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(STREAM)));
    assert_eq!(answer.text(), "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n");
    assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref());
}

#[tokio::test]
async fn a_client_of_streams_gets_refusals_and_202_as_they_are() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    assert_refused(&house.post(&[("accept", STREAM)], PING).await, 400, -32000, "session_required");
    let note = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let answer = session.post(&[("accept", STREAM)], note).await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (202, ""));
}

#[tokio::test]
async fn silence_becomes_a_stream_where_the_client_reads_one() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let slow = || call("slow", "test_sleep", json!({"ms": 6000}));
    let began = Instant::now();
    let (mut stays, mut leaves) = (house.connect().await, house.connect().await);
    let headers = [
        ("mcp-session-id", session.id.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    for connection in [&mut stays, &mut leaves] {
        connection.request("POST /mcp", &headers, &slow()).await.expect("sent");
    }
    let (streamed, alone) = tokio::join!(
        async {
            let head = stays.head().await.expect("a head");
            let waited = began.elapsed();
            leaves.head().await.expect("a head");
            drop(leaves);
            let mut body = Vec::new();
            while let Some(chunk) = stays.chunk().await.expect("a chunk") {
                body.extend(chunk);
            }
            (Answer { body, ..head }, waited)
        },
        session.post(&[("accept", "application/json")], slow()),
    );
    let (answer, waited) = streamed;
    assert!((Duration::from_millis(4500)..Duration::from_millis(5900)).contains(&waited), "{waited:?}");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(STREAM)));
    assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref());
    assert_eq!(answer.json()["result"]["structuredContent"], json!({"slept_ms": 6000}));
    let alone = alone.expect("an answer");
    assert_eq!((alone.status, alone.header("content-type")), (200, Some("application/json")));
    // The third one hung up in the middle of its stream, and its call went on.
    let finished = "tool_name = 'test_sleep' AND status = 'success' AND duration_ms >= 6000";
    house.until(&format!("SELECT count(*) FROM archon_mcp_requests WHERE {finished}"), "3").await;
    assert_serves(&session).await;
}
