//! What a stream may say, and when it may begin: status, ids and headers are true in every form of an answer.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{House, LATEST, call, initialize};
use crate::databases::{Blockade, Database};
use crate::http::Mcp;

const STREAM: &str = "text/event-stream";

/// Keeps the database from taking a new session.
const LOCK: &str = "LOCK TABLE archon_mcp_protocol_sessions, archon_mcp_requests IN ACCESS EXCLUSIVE MODE";

/// Each of the clients gets an id, or 503 with its header; none a stream.
async fn opens_with_an_id_or_not_at_all(db: Database, clients: usize) {
    let house = House::open_on(db, &[]).await;
    let held = Blockade::of(&house.db, LOCK).await;
    let opening = join_all((0..clients).map(async |_| {
        let client = Mcp::new(house.server.url());
        client.post(&[], initialize(LATEST)).await.expect("an answer")
    }));
    let (answers, ()) = tokio::join!(opening, async {
        sleep(Duration::from_secs(8)).await;
        held.release().await;
    });
    for answer in answers {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
        match answer.status {
            200 => assert!(answer.header("mcp-session-id").is_some(), "{}", answer.text()),
            503 => assert!(answer.header("retry-after").is_some() && answer.json()["error"].is_object()),
            status => panic!("{status} {}", answer.text()),
        }
    }
}

macro_rules! initialize_while_the_database_stands_still {
    ($name:ident, $clients:expr) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::opens_with_an_id_or_not_at_all(crate::databases::Database::sqlite(), $clients).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(db) = crate::databases::Database::postgres() {
                    super::opens_with_an_id_or_not_at_all(db, $clients).await;
                }
            }
        }
    };
}

initialize_while_the_database_stands_still!(one_client_gets_an_id_or_503, 1);
initialize_while_the_database_stands_still!(many_clients_get_an_id_or_503, 16);

#[tokio::test]
async fn a_stream_is_of_the_archon_session_of_its_row() {
    let house = House::open(&[]).await;
    let (own, other) = (house.session().await, house.session().await);
    for session in [&own, &other] {
        session.call("test_echo", json!({"text": "x"})).await;
    }
    let named = other.archon.clone().expect("an id");
    let slow = call(1, "test_sleep", json!({"ms": 5600}));
    for accept in ["application/json, text/event-stream", STREAM, "application/json"] {
        let headers = [("x-archon-session-id", named.as_str()), ("accept", accept)];
        let answer = own.post(&headers, slow.clone()).await.expect("an answer");
        assert_eq!(answer.header("content-type") == Some(STREAM), accept.contains(STREAM), "{accept}");
        assert_eq!(answer.header("x-archon-session-id"), Some(named.as_str()), "{accept}");
        house.newest_row("session_id", "tool_name = 'test_sleep'", &named).await;
    }
    // A first call has its new one.
    let fresh = house.session().await;
    let answer = fresh.post(&[], slow).await.expect("an answer");
    assert_eq!(answer.header("x-archon-session-id"), fresh.archon.as_deref());
}

#[tokio::test]
async fn a_client_of_streams_alone_does_not_wait_in_silence() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let mut connection = house.connect().await;
    let headers = [("mcp-session-id", session.id.as_str()), ("content-type", "application/json"), ("accept", STREAM)];
    let began = Instant::now();
    connection.request("POST /mcp", &headers, &call(1, "test_sleep", json!({"ms": 7000}))).await.expect("sent");
    let head = connection.head().await.expect("a head");
    assert!((4500..6800).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!((head.status, head.header("content-type")), (200, Some(STREAM)));
}

#[tokio::test]
async fn a_stream_says_that_its_row_is_deferred() {
    let house = House::open(&["--ack-deadline", "100ms"]).await;
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x"})).await;
    let calling = session.post(&[], call(1, "test_sleep", json!({"ms": 6000})));
    let (answer, held) = tokio::join!(calling, async {
        sleep(Duration::from_millis(5500)).await;
        Blockade::of(&house.db, LOCK).await
    });
    let answer = answer.expect("an answer");
    assert_eq!(answer.header("content-type"), Some(STREAM));
    assert!(answer.text().contains(": x-archon-record: deferred\nevent: message\n"), "{}", answer.text());
    assert_eq!(answer.json()["result"]["structuredContent"], json!({"slept_ms": 6000}));
    held.release().await;
    house.newest_row("status", "tool_name = 'test_sleep'", "success").await;
    let answer = session.post(&[], call(2, "test_sleep", json!({"ms": 5200}))).await.expect("an answer");
    assert!(!answer.text().contains("record"), "{}", answer.text());
}
