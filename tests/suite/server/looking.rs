//! Whoever looks at a server (`/health`, `/metrics`) keeps nobody waiting, and waits for nobody.

use futures_util::future::join_all;
use serde_json::json;

use super::{House, SOON, assert_serves};
use crate::databases::{Blockade, Database, on_every_database};

/// A database in which counting does not come to an end stands for one in which it takes long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_look_take_one_connection_and_get_the_last_counts() {
    let Some(db) = Database::postgres() else { return };
    let house = House::open_on(db, &[]).await;
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x"})).await;
    let deadline = tokio::time::Instant::now() + SOON;
    while house.request("GET /health", &[], "").await.json()["sessions"]["active"] != 1 {
        assert!(tokio::time::Instant::now() < deadline, "it is not counted");
    }

    let blockade = Blockade::of(&house.db, "LOCK TABLE archon_mcp_sessions IN ACCESS EXCLUSIVE MODE").await;
    for round in 0..3 {
        let look = |n: usize| house.request(if n.is_multiple_of(2) { "GET /metrics" } else { "GET /health" }, &[], "");
        let answers = join_all((0..16).map(look)).await;
        let metrics = answers[0].text();
        assert!(metrics.contains("archonctl_sessions_active{} 1"), "{metrics}");
        assert!(metrics.contains("archonctl_count_age_seconds"), "{metrics}");
        let health = answers[1].json();
        assert_eq!(health["sessions"]["active"], 1, "the last count: {health}");
        assert!(health["sessions"]["counted_seconds_ago"].as_f64().is_some_and(|age| age > 0.0), "{health}");
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' AND query LIKE 'SELECT a.n, p.n%'";
        let waiting: i64 = house.db.value(waiting).parse().expect("a count");
        assert!(waiting <= 1, "round {round}: {waiting} connections count");
    }
    blockade.release().await;
    assert_serves(&session).await;
}

on_every_database!(ends_are_counted_as_they_happen, |db| async {
    let house = House::open_on(db, &[]).await;
    let (mut sessions, deadline) = (Vec::new(), tokio::time::Instant::now() + SOON);
    for _ in 0..3 {
        let session = house.session().await;
        session.call("test_echo", json!({"text": "x"})).await;
        sessions.push(session);
    }
    sessions[0].delete().await;
    for (session, reason) in sessions[1..].iter().zip(["'operator'", "'a reason of my own'"]) {
        let archon = session.archon.as_deref().expect("an Archon session");
        house.db.rows(&format!(
            "UPDATE archon_mcp_sessions SET status = 'disconnected', disconnect_reason = {reason} WHERE session_id = '{archon}'"
        ));
    }
    let ended = |reason: &str| format!("archonctl_sessions_ended_total{{reason=\"{reason}\"}} 1");
    loop {
        let metrics = house.request("GET /metrics", &[], "").await.text();
        if ["client_disconnect", "operator", "other"].iter().all(|reason| metrics.contains(&ended(reason))) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
});
