//! `scripts/seed-demo.sh` makes a store that agrees with itself, and the commands find their rows in it by indexes.

use std::process::Command as Process;

use serde_json::json;

use super::*;
use crate::databases::on_every_database;

const SESSIONS: i64 = 4000;
const REQUESTS: i64 = 30_007;

fn seeded(db: &Database) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/seed-demo.sh");
    let mut command = Process::new(script);
    command.args(["--sessions", &SESSIONS.to_string(), "--requests", &REQUESTS.to_string(), db.url()]);
    let output = command.env("ARCHONCTL", env!("CARGO_BIN_EXE_archonctl")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

on_every_database!(a_demo_store_agrees_with_itself, |db| async {
    seeded(&db);
    let count = |what: &str| db.value(&format!("SELECT COUNT(*) FROM {what}")).parse::<i64>().expect("a count");
    assert_eq!((count("archon_mcp_sessions"), count("archon_mcp_requests")), (SESSIONS, REQUESTS));
    assert_eq!(count("archon_mcp_protocol_sessions WHERE NOT called AND calls = 0"), SESSIONS / 100);
    let opened = "(SELECT SUM(s.calls) FROM archon_mcp_sessions s WHERE s.protocol_session_id = p.protocol_session_id)";
    assert_eq!(count(&format!("archon_mcp_protocol_sessions p WHERE calls <> COALESCE({opened}, 0)")), 0);
    assert_eq!(count("archon_mcp_sessions WHERE (status = 'active') <> (disconnected_at IS NULL)"), 0);
    let wrong_counters = "archon_mcp_sessions s WHERE calls <> (SELECT COUNT(*) FROM archon_mcp_requests r WHERE r.session_id = s.session_id)
        OR prompt_tokens <> (SELECT COALESCE(SUM(prompt_tokens), 0) FROM archon_mcp_requests r WHERE r.session_id = s.session_id)
        OR errors <> (SELECT COUNT(*) FROM archon_mcp_requests r WHERE r.session_id = s.session_id AND status <> 'success')";
    assert_eq!(count(wrong_counters), 0);
    assert_eq!(db.value("SELECT folded_seq - (SELECT MAX(seq) FROM archon_mcp_requests) FROM archon_mcp_boots"), "0");
    for by in ["tool", "client", "hour", "day", "user"] {
        for since in [&[][..], &["--since", "3d"], &["--since", "100m"]] {
            let sums = document(&db, &[&["stats", "--by", by], since].concat());
            // Sums know whole minutes and sessions: only without a limit in time do they agree to the last call.
            if since.is_empty() {
                let rows = document(&db, &["stats", "--by", by, "--exact"]);
                let of = |stats: &Value| -> Vec<_> {
                    let groups = stats["groups"].as_array().expect("groups").iter();
                    groups.map(|g| json!([g["name"], g["calls"], g["errors"], g["completion_tokens"]])).collect()
                };
                assert_eq!(of(&sums), of(&rows), "by {by}");
                assert_eq!(sums["total"]["calls"], REQUESTS, "by {by}");
            } else {
                assert!(
                    sums["total"]["calls"].as_i64().is_some_and(|calls| calls > 0 && calls < REQUESTS),
                    "{by}: {sums}"
                );
            }
        }
    }
    let since = document(&db, &["stats", "--since", "3d"])["total"]["calls"].as_i64().expect("calls");
    let exact = document(&db, &["stats", "--since", "3d", "--exact"])["total"]["calls"].as_i64().expect("calls");
    assert!((0..=20).contains(&(since - exact)), "{since} and {exact}: a minute more at most");
    let listed = document(&db, &["list", "--limit", "0"]);
    assert_eq!((listed["sessions"].as_array().map(Vec::len), &listed["idle"]), (Some(240), &json!(200)));
});

/// Rows that were read one after the other, by table.
fn read_in_a_row(db: &Database) -> i64 {
    // A connection reports what it did when it ends.
    let others =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'archonctl'";
    while db.value(others) != "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let read = "SELECT SUM(seq_tup_read) FROM pg_stat_user_tables WHERE relname IN
                ('archon_mcp_sessions', 'archon_mcp_protocol_sessions', 'archon_mcp_requests', 'archon_mcp_session_events')";
    db.value(read).parse().expect("a number")
}

#[test]
fn no_big_table_is_read_as_a_whole() {
    let Some(db) = Database::postgres() else { return };
    seeded(&db);
    let id = ids(&document(&db, &["list", "-n", "1"]))[0].to_owned();
    for args in [
        &["list"][..],
        &["list", "--idle"],
        &["list", "--all"],
        &["show", &id],
        &["show", &id[..8]],
        &["requests"],
        &["requests", "--session", &id],
        &["requests", "--since", "1h"],
        &["events"],
        &["events", "--session", &id],
        &["stats"],
        &["stats", "--by", "hour"],
        &["stats", "--by", "client", "--since", "1h"],
    ] {
        let before = read_in_a_row(&db);
        document(&db, args);
        let read = read_in_a_row(&db) - before;
        assert!(read < SESSIONS / 10, "{args:?}: {read} rows were read without an index");
    }
}
