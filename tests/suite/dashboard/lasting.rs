//! Kept open: what it holds does not grow, and an end is seen at once where the database tells it.

use std::time::Instant;

use serde_json::json;

use super::tmux::{DEADLINE, Tmux, dashboard, has_tmux};
use super::{document, seed};
use crate::databases::{Database, on_every_database};
use crate::http::Mcp;
use crate::process::ServeProcess;

/// An hour at the default interval is 1,800; the longer form is for `scripts/deep.sh`.
fn refreshes() -> &'static str {
    if std::env::var_os("ARCHONCTL_TEST_LONG").is_some() { "1800" } else { "120" }
}

/// What a process may have more of at their end than after their first third, in kilobytes: the allocator settles late.
const GROWTH: i64 = 3000;

on_every_database!(memory_stays_flat_while_everything_changes, |db| async {
    seed(&db, 2000, 20_000);
    let server = ServeProcess::start(&db, &["--capture", "all"]).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mcp = Mcp::new(server.url());
        calls.spawn(async move {
            loop {
                let session = mcp.initialize_as("cursor", "2025-06-18").await;
                for n in 0..20 {
                    session.call("find_projects", json!({"query": n.to_string()})).await;
                }
                session.request("ping", json!({})).await;
            }
        });
    }
    let shown = tokio::task::block_in_place(|| document(&db, &["dashboard", "--endure", refreshes()]));
    calls.abort_all();
    let memory = |when: &str| shown["memory_kb"][when].as_i64().expect("Linux tells");
    assert!(memory("after") - memory("before") < GROWTH, "{shown}");
    // The rows that it held have changed many times over.
    let requests: i64 = db.value("SELECT COUNT(*) FROM archon_mcp_requests").parse().expect("a number");
    assert!(requests > 20_100, "only {requests}");
});

/// The dashboard looks once a minute: what is seen before was told.
#[test]
fn an_end_is_seen_at_once_on_postgresql() {
    let Some(db) = Database::postgres() else { return };
    if !has_tmux() {
        return;
    }
    seed(&db, 2000, 2000);
    let tmux = Tmux::start(db.folder(), (120, 30));
    tmux.wait_for("ready>");
    tmux.write(&dashboard(&db).replace("500ms", "1m"));
    tmux.press(&["Enter"]);
    tmux.wait_for("120 active");
    let began = Instant::now();
    // When it begins to listen nobody says; one of these ends it hears.
    while tmux.screen().contains("120 active") {
        assert!(began.elapsed() < DEADLINE, "nothing was told:\n{}", tmux.screen());
        db.rows(
            "UPDATE archon_mcp_sessions SET status = 'disconnected', disconnected_at = clock_timestamp() WHERE session_id =
             (SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' ORDER BY last_activity DESC LIMIT 1)",
        );
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    tmux.write("q");
}
