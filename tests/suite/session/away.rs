//! A database that is away holds up no call of a session that is known.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{REVISION, call_body};
use crate::databases::{Blockade, Database};
use crate::http::Mcp;
use crate::process::ServeProcess;

/// Not a second, on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(900);

/// PostgreSQL that stands still: every table that a call may read or write is locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_session_waits_for_no_database() {
    let Some(db) = Database::postgres() else { return };
    let server = ServeProcess::start(&db, &["--test-tools", "--ack-deadline", "100ms"]).await;
    let mcp = Mcp::new(server.url());
    let (session, other) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    for known in [&session, &other] {
        known.call("test_echo", json!({"text": "x"})).await;
    }
    // Nobody has asked how the server is before: there is no last status to show.
    let tables =
        "archon_mcp_protocol_sessions, archon_mcp_sessions, archon_mcp_requests, archon_mcp_boots, archonctl_meta";
    let blockade = Blockade::of(&db, &format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")).await;
    let named = other.archon.clone().expect("an id");
    // Over the lease of a second, and over what a read of the database may take.
    for _ in 0..12 {
        for (tool, arguments) in [("test_echo", json!({"text": "x"})), ("health_check", json!({}))] {
            for headers in [&[][..], &[("x-archon-session-id", named.as_str())]] {
                let began = Instant::now();
                let answer = session.post(headers, call_body(tool, &arguments)).await.expect("an answer");
                let took = began.elapsed();
                assert_eq!(answer.status, 200, "{tool}: {}", answer.text());
                assert!(took < AT_ONCE, "{tool} {headers:?} took {took:?}: {}", answer.text());
                assert_eq!(answer.header("content-type"), Some("application/json"));
            }
        }
        sleep(Duration::from_millis(400)).await;
    }
    let health = session.call("health_check", json!({})).await;
    assert_ne!(health["structuredContent"]["health"]["status"], "healthy", "{health}");
    blockade.release().await;
    let began = Instant::now();
    while session.call("health_check", json!({})).await["structuredContent"]["health"]["status"] != "healthy" {
        assert!(began.elapsed() < Duration::from_secs(30), "it never gets well");
        sleep(Duration::from_millis(100)).await;
    }
}
