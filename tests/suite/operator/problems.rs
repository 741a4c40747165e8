//! `archonctl problems`: what is wrong now, and by the exit code whether anything is.

use serde_json::json;

use super::*;
use crate::databases::on_every_database;
use crate::http::Mcp;
use crate::process::ServeProcess;

/// The exit code, and each problem's rule, subject and text.
fn problems(db: &Database, args: &[&str]) -> (Option<i32>, Vec<[String; 3]>) {
    let output = run(db, &[&["problems", "--json"], args].concat());
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = shown["problems"].as_array().expect("a list").iter();
    let of = |problem: &Value| {
        assert!(["evidence", "next_step"].iter().all(|member| problem[*member] != ""), "{problem}");
        ["rule", "subject", "problem"].map(|member| problem[member].as_str().expect("a text").to_owned())
    };
    (output.status.code(), all.map(of).collect())
}

on_every_database!(what_is_wrong_is_listed_with_what_to_do, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize("2025-11-25").await;
    session.call("health_check", json!({})).await;
    assert_eq!(problems(&db, &[]), (Some(0), vec![]));
    let output = run(&db, &["problems"]);
    assert_eq!((output.stdout.len(), String::from_utf8_lossy(&output.stderr).trim()), (0, "All is well."));

    for _ in 0..5 {
        session.request("tools/call", json!({"name": "test_fail", "arguments": {}})).await;
    }
    let failed = "SELECT COUNT(*) FROM archon_mcp_sessions WHERE errors = 5";
    while db.value(failed) != "1" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (code, found) = problems(&db, &[]);
    assert_eq!(code, Some(1));
    let of =
        |rule: &str| found.iter().find(|[one, ..]| one == rule).map(|[_, subject, text]| format!("{subject}: {text}"));
    assert_eq!(of("stuck").as_deref(), Some("session: test_fail failed 5× in a row"), "{found:?}");
    assert_eq!(of("failures").as_deref(), Some("calls: 5 of 6 calls in 5 minutes failed"), "{found:?}");

    server.sigkill();
    let soon = "DELETE FROM archon_mcp_rollups; DELETE FROM archon_mcp_requests; \
                UPDATE archon_mcp_sessions SET errors = 0; UPDATE archon_mcp_protocol_sessions SET errors = 0; \
                UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash'";
    db.rows(soon);
    let (code, found) = problems(&db, &[]);
    assert_eq!((code, found.len()), (Some(1), 1), "{found:?}");
    assert!(found[0][0] == "no_server" && found[0][2].starts_with("no server running"), "{found:?}");
});

on_every_database!(a_server_that_ends_again_and_again_is_a_problem, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    for _ in 0..3 {
        server.sigkill();
        server = ServeProcess::start_at(server.address(), &db, &[]).await;
    }
    let (code, found) = problems(&db, &[]);
    assert_eq!(code, Some(1));
    let text = "ended 3 times within 15m00s, last: crash";
    assert_eq!(found, [["crash_loop", "server", text].map(str::to_owned)]);
});
