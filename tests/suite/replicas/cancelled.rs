//! A cancellation that a balancer leads to another server than the one on which its request runs.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::databases::Database;
use crate::http::Mcp;
use crate::process::ServeProcess;

/// A lost notification is found by the next look at the events, which is five seconds away.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_call_is_cancelled_by_way_of_another_server() {
    let Some(db) = Database::postgres() else { return };
    let arguments = ["--test-tools"];
    let (one, other) = tokio::join!(ServeProcess::start(&db, &arguments), ServeProcess::start(&db, &arguments));
    let session = Mcp::new(one.url()).initialize("2025-11-25").await;
    let elsewhere = session.clone().at(Mcp::new(other.url()));
    let call = |id: u32| {
        let params = json!({"name": "test_sleep", "arguments": {"ms": 600_000}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    let (meant, stays) = (session.clone(), session.clone());
    let meant = tokio::spawn(async move { meant.post(&[], call(7)).await });
    let stays = tokio::spawn(async move { stays.post(&[], call(8)).await });
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}).to_string();
    let deadline = Instant::now() + SOON;
    // Until the call has begun there is nothing to cancel.
    while !meant.is_finished() {
        assert!(Instant::now() < deadline, "it was not cancelled");
        assert_eq!(elsewhere.post(&[], cancel.clone()).await.expect("an answer").status, 202);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let answer = meant.await.expect("ended").expect("an answer").text();
    assert!(answer.contains("cancelled"), "{answer}");
    assert!(!stays.is_finished(), "the other one was not meant");
    // The session is what it was, on both.
    for server in [&session, &elsewhere] {
        assert_eq!(server.request("ping", json!({})).await.status, 200);
    }
    timeout(SOON, session.delete()).await.expect("ended");
}
