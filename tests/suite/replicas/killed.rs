//! A server that is killed and started again leaves nothing undone for longer than its clients notice.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::REVISION;
use crate::databases::Database;
use crate::http::Mcp;
use crate::process::ServeProcess;

/// From the new start on.
const FOLDED: Duration = Duration::from_secs(3);

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_buried_and_its_calls_are_counted_when_it_starts_again() {
    let Some(db) = Database::postgres() else { return };
    let mut killed = ServeProcess::start(&db, &["--test-tools"]).await;
    let _other = ServeProcess::start(&db, &[]).await;
    let mcp = Mcp::new(&format!("http://{}/mcp", killed.address()));
    let sessions = join_all((0..8).map(|_| mcp.initialize(REVISION))).await;
    join_all(sessions.iter().map(async |session| {
        for _ in 0..25 {
            session.call("test_echo", json!({"text": "x"})).await;
        }
    }))
    .await;
    let address = killed.address().to_owned();
    killed.sigkill();
    let _again = ServeProcess::restart_on(db.url(), &address, &db, &[]).await;
    let started = Instant::now();
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo'"), "200");
    let sums = "SELECT (SELECT COALESCE(SUM(calls), 0) FROM archon_mcp_sessions) || ' ' || \
                (SELECT COALESCE(SUM(calls), 0) FROM archon_mcp_protocol_sessions) || ' ' || \
                (SELECT COALESCE(SUM(calls), 0) FROM archon_mcp_rollups WHERE tool_name = 'test_echo')";
    while db.value(sums) != "200 200 200" {
        assert!(started.elapsed() < FOLDED, "{}", db.value(sums));
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        db.value("SELECT string_agg(COALESCE(end_cause, 'up'), ' ' ORDER BY number) FROM archon_mcp_boots"),
        "crash up up"
    );
}
