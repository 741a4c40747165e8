//! How long a client waits, and whom it tells that it waits no more.

use std::time::{Duration, Instant};

use archonctl::client::{Client, ClientError};
use serde_json::json;

use crate::faulty::{Fault, Faulty};

#[tokio::test]
async fn a_dropped_call_is_cancelled_when_the_session_is_left() {
    let server = Faulty::start().await;
    let client = Client::connect(server.options()).await.expect("connected");
    server.script("tools/call", [Fault::Silence, Fault::Silence]);
    {
        let calls =
            futures_util::future::join(client.call_tool("write", json!({})), client.call_tool("write", json!({})));
        tokio::select! {
            _ = calls => panic!("no answer comes"),
            () = async { while server.ran() < 2 { server.called().await } } => {}
        }
    }
    client.cancel_abandoned().await;
    client.cancel_abandoned().await;
    let ids = |method: &str, pointer: &str| {
        let seen = server.seen(method).into_iter();
        let mut ids: Vec<_> = seen.filter_map(|seen| seen.message.pointer(pointer)?.as_u64()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids("notifications/cancelled", "/params/requestId"), ids("tools/call", "/id"), "each once");
    client.call_tool("write", json!({})).await.expect("an answer");
    client.close().await.expect("closed");
    assert_eq!(server.seen("notifications/cancelled").len(), 2, "an answered call is not cancelled");
}

#[tokio::test]
async fn nobody_waits_beyond_the_end_of_all() {
    let server = Faulty::start().await;
    let mut options = server.options();
    options.until = Some(Instant::now() + Duration::from_millis(700));
    let client = Client::connect(options).await.expect("connected");
    server.script("tools/call", [Fault::Late(Duration::from_millis(400)), Fault::Silence]);
    client.call_tool("write", json!({})).await.expect("in time");
    let began = Instant::now();
    let error = client.call_tool("write", json!({})).await.expect_err("no time is left");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    client.close().await.expect("there is a moment to say goodbye");
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!((server.seen("notifications/cancelled").len(), server.open_sessions()), (1, 0));
}
