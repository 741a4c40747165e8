//! Ends that time makes, and those that it must not: by a clock that the test moves.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{Life, REVISION, SOON, call_body, echo, health, nap, refused, until};
use crate::databases::{Database, on_every_database};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;

/// No cleanup while the test runs: only a request can find a session past its time.
const NEVER: &str = "1000h";

async fn start(db: &Database, arguments: &[&str]) -> ServeProcess {
    ServeProcess::start(db, &[&["--test-tools", "--test-clock"], arguments].concat()).await
}

/// Moves the server's clock and waits until it has moved.
pub(super) async fn advance(server: &mut ServeProcess, by: &str) {
    let moves = |server: &ServeProcess| server.lines().iter().filter(|line| line.contains("clock advanced")).count();
    let (before, begun) = (moves(server), Instant::now());
    server.write_line(&format!("advance {by}"));
    while moves(server) == before {
        assert!(begun.elapsed() < SOON, "the clock does not move");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a cleanup that began after now.
async fn advance_over_a_cleanup(server: &mut ServeProcess, by: &str) {
    let before = health(server).await["cleanup"]["last_run"].clone();
    advance(server, by).await;
    let begun = Instant::now();
    while health(server).await["cleanup"]["last_run"] == before {
        assert!(begun.elapsed() < SOON, "no cleanup");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_valid(session: &Session) -> bool {
    let answer = session.request("ping", json!({})).await;
    assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
    answer.status == 200
}

/// Two sessions: one that has called a tool, and one that has not, so that it has no Archon session.
async fn two(server: &ServeProcess) -> [Session; 2] {
    let mcp = Mcp::new(server.url());
    let sessions = [mcp.initialize(REVISION).await, mcp.initialize(REVISION).await];
    echo(&sessions[0]).await;
    sessions
}

fn archon(session: &Session) -> &str {
    session.archon.as_deref().expect("an Archon session")
}

/// Makes everything that a dead server has left older by two hours, as if it had been down for so long.
fn two_hours_pass(db: &Database) {
    let times = [
        ("archon_mcp_boots", ["started_at", "heartbeat_at"].as_slice()),
        ("archon_mcp_sessions", &["connected_at", "last_activity", "expires_at"]),
        ("archon_mcp_protocol_sessions", &["connected_at", "last_activity", "expires_at"]),
    ];
    for (table, columns) in times {
        let earlier = |column: &&str| {
            if db.is_postgres() {
                format!("{column} = {column} - INTERVAL '2 hours'")
            } else {
                format!("{column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-2 hours')")
            }
        };
        let set: Vec<_> = columns.iter().map(earlier).collect();
        db.rows(&format!("UPDATE {table} SET {}", set.join(", ")));
    }
}

on_every_database!(an_outage_longer_than_the_timeout_loses_nobody, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let sessions = two(&server).await;
    let idle = two(&server).await;
    server.sigkill();
    two_hours_pass(&db);

    let arguments = ["--test-tools", "--test-clock", "--session-timeout", "1h"];
    let mut server = ServeProcess::start_at(server.address(), &db, &arguments).await;
    let outage = health(&server).await["recovery"]["outage_seconds"].as_f64().expect("seconds");
    assert!((7200.0..7300.0).contains(&outage), "{outage}");
    for session in &sessions {
        assert_eq!(echo(session).await, archon(session));
    }
    // Nor does the cleanup take those that have not come back yet.
    advance_over_a_cleanup(&mut server, "6m").await;
    assert_eq!(health(&server).await["cleanup"]["ended"], 0);
    assert!(is_valid(&idle[0]).await && is_valid(&idle[1]).await);
    // The credit is given once: an hour of silence with a server is too long.
    advance(&mut server, "61m").await;
    assert_ne!(echo(&idle[0]).await, archon(&idle[0]));
    Life::Archon.assert_ended(&db, archon(&idle[0]), ["expired", "timeout", "server"]);
});

on_every_database!(an_outage_beyond_the_window_counts_as_idle, |db| async {
    let mut server = start(&db, &[]).await;
    let sessions = two(&server).await;
    server.sigkill();
    two_hours_pass(&db);
    let server = ServeProcess::start_at(server.address(), &db, &["--test-tools", "--recover-window", "30m"]).await;
    assert_ne!(echo(&sessions[0]).await, archon(&sessions[0]));
    Life::Archon.assert_ended(&db, archon(&sessions[0]), ["expired", "timeout", "server"]);
    assert_eq!(echo(&sessions[1]).await, archon(&sessions[1]), "what is only reserved has no time");
    drop(server);
});

on_every_database!(an_idle_archon_session_ends_and_its_connection_goes_on, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h", "--cleanup-interval", NEVER]).await;
    let sessions = two(&server).await;
    for _ in 0..2 {
        // Each use counts anew, a ping too.
        advance(&mut server, "59m").await;
        assert!(is_valid(&sessions[0]).await && is_valid(&sessions[1]).await);
    }
    Life::Archon.assert_active(&db, archon(&sessions[0]));
    advance(&mut server, "61m").await;
    // Whatever comes first tells the id of the next one, and the first call makes it.
    let ping = sessions[0].request("ping", json!({})).await;
    let next = ping.header("x-archon-session-id").expect("an id").to_owned();
    assert!(ping.status == 200 && next != archon(&sessions[0]), "{}", ping.text());
    Life::Archon.assert_ended(&db, archon(&sessions[0]), ["expired", "timeout", "server"]);
    let duration = db.value("SELECT total_duration FROM archon_mcp_sessions").parse::<i64>().expect("seconds");
    assert!((10_740..10_800).contains(&duration), "{duration}");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "1", "reserved");
    assert_eq!(echo(&sessions[0]).await, next);
    let rule = "SELECT session_rule FROM archon_mcp_requests WHERE tool_name IS NOT NULL ORDER BY seq DESC LIMIT 1";
    assert_eq!(db.value(rule), "new");
    server.wait_for_line(&format!("Archon tracking session created on first tool call - session: {next}"), SOON).await;
    let opener = format!("SELECT protocol_session_id FROM archon_mcp_sessions WHERE session_id = '{next}'");
    assert_eq!(db.value(&opener), sessions[0].id);
    assert_eq!(echo(&sessions[1]).await, archon(&sessions[1]), "it had called nothing");
    // An end is for good: after a kill, too, only the next one lives.
    server.sigkill();
    let _server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
    assert_eq!(echo(&sessions[0]).await, next);
});

on_every_database!(a_night_loses_nobody, |db| async {
    let mut server = start(&db, &[]).await;
    let mcp = Mcp::new(server.url());
    let sessions = join_all((0..20).map(|_| mcp.initialize(REVISION))).await;
    join_all(sessions.iter().map(echo)).await;
    advance_over_a_cleanup(&mut server, "26h").await;
    let next = join_all(sessions.iter().map(echo)).await;
    for (session, next) in sessions.iter().zip(&next) {
        assert_ne!(archon(session), next);
        Life::Archon.assert_ended(&db, archon(session), ["expired", "timeout", "server"]);
        Life::Archon.assert_active(&db, next);
        Life::Protocol.assert_active(&db, &session.id);
    }
    let distinct: std::collections::HashSet<_> = next.iter().collect();
    assert_eq!(distinct.len(), 20);
    let counted = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE calls = 2";
    until(&db, counted, "20").await;
    // A revocation ends the connection, whichever of its Archon sessions it names.
    let end = |id: &str| format!("UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE session_id = '{id}'");
    db.rows(&end(&next[7]));
    refused(&sessions[7], "operator").await;
});

on_every_database!(a_connection_ends_after_its_own_time, |db| async {
    let mut server = start(&db, &["--protocol-session-timeout", "2d", "--cleanup-interval", NEVER]).await;
    let sessions = two(&server).await;
    advance(&mut server, "47h").await;
    assert!(is_valid(&sessions[0]).await);
    advance(&mut server, "2h").await;
    refused(&sessions[1], "timeout").await;
    Life::Protocol.assert_ended(&db, &sessions[1].id, ["expired", "timeout", "server"]);
    assert!(is_valid(&sessions[0]).await, "it was used");
});

on_every_database!(connections_that_shared_one_open_their_own, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let mcp = Mcp::new(server.url());
    let first = mcp.initialize(REVISION).await;
    let shared = echo(&first).await;
    let second = mcp.initialize_with(&[("x-archon-session-id", &shared)], "suite", REVISION).await;
    assert_eq!(echo(&second).await, shared);
    advance(&mut server, "61m").await;
    let (one, two) = tokio::join!(echo(&first), echo(&second));
    assert!(one != two && one != shared && two != shared, "{one} {two}");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'"), "2");
});

on_every_database!(the_cleanup_ends_idle_sessions_that_nobody_asks_for, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let sessions = two(&server).await;
    advance_over_a_cleanup(&mut server, "50m").await;
    let used = two(&server).await;
    advance(&mut server, "15m").await;
    server.wait_for_line("Cleaned up 1 expired sessions", SOON).await;
    Life::Archon.assert_ended(&db, archon(&sessions[0]), ["expired", "timeout", "server"]);
    for session in &sessions {
        Life::Protocol.assert_active(&db, &session.id);
        assert!(is_valid(session).await);
    }
    assert_eq!(health(&server).await["cleanup"]["ended"], 1);
    assert_eq!(echo(&used[0]).await, archon(&used[0]));
    assert_ne!(echo(&sessions[0]).await, archon(&sessions[0]));
});

on_every_database!(the_greatest_age_ends_a_session_in_use, |db| async {
    for interval in ["5m", NEVER] {
        let limits = ["--session-timeout", "1h", "--max-session-age", "2h", "--cleanup-interval", interval];
        let mut server = start(&db, &limits).await;
        let session = Mcp::new(server.url()).initialize(REVISION).await;
        for _ in 0..2 {
            echo(&session).await;
            advance(&mut server, "55m").await;
        }
        echo(&session).await;
        advance(&mut server, "11m").await;
        if interval != NEVER {
            server.wait_for_line("Cleaned up 1 expired sessions", SOON).await;
        }
        refused(&session, "max_age").await;
        Life::Archon.assert_ended(&db, archon(&session), ["expired", "max_age", "server"]);
        Life::Protocol.assert_ended(&db, &session.id, ["expired", "max_age", "server"]);
        server.sigterm();
        assert!(server.ended(SOON).await.success());
    }
});

on_every_database!(a_running_call_keeps_its_session, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let nap = nap(&db, &session, 2000).await;
    for by in ["5h", "6h", "7h"] {
        advance_over_a_cleanup(&mut server, by).await;
        assert!(is_valid(&session).await, "after {by}");
    }
    let answer = nap.await.expect("joined");
    assert_eq!(answer.json()["result"]["isError"], false, "{}", answer.text());
    assert_eq!(echo(&session).await, archon(&session));
    Life::Archon.assert_active(&db, archon(&session));
    Life::Protocol.assert_active(&db, &session.id);
    let late = "SELECT COUNT(*) FROM archon_mcp_requests WHERE CAST(late AS INTEGER) <> 0";
    assert_eq!(db.value(late), "0");
});

on_every_database!(a_running_call_keeps_the_session_that_it_names, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let mcp = Mcp::new(server.url());
    let (owner, guest) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&owner).await;
    echo(&guest).await;
    let (named, sleeper) = (archon(&owner).to_owned(), guest.clone());
    let nap = tokio::spawn(async move {
        let body = call_body("test_sleep", &json!({"ms": 2000}));
        sleeper.post(&[("x-archon-session-id", &named)], body).await.expect("an answer")
    });
    // The row of a running call is not there yet, but its session's touch is.
    let touched = format!(
        "SELECT COUNT(*) FROM archon_mcp_protocol_sessions p JOIN archon_mcp_protocol_sessions o \
         ON p.last_activity > o.last_activity WHERE p.protocol_session_id = '{}' AND o.protocol_session_id = '{}'",
        guest.id, owner.id
    );
    until(&db, &touched, "1").await;
    advance_over_a_cleanup(&mut server, "5h").await;
    let answer = nap.await.expect("joined");
    assert_eq!(answer.header("x-archon-session-id"), owner.archon.as_deref());
    Life::Archon.assert_active(&db, archon(&owner));
});

on_every_database!(a_call_whose_session_is_revoked_is_cancelled_and_told_by_whom, |db| async {
    let server = start(&db, &[]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let begun = Instant::now();
    let nap = nap(&db, &session, 60_000).await;
    let id = archon(&session);
    let touched = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE last_activity > connected_at";
    until(&db, touched, "1").await;
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'expired' WHERE session_id = '{id}'"));
    let activity = "SELECT s.last_activity, p.last_activity FROM archon_mcp_sessions s \
         JOIN archon_mcp_protocol_sessions p ON p.session_id = s.session_id";
    let before = db.rows(activity);
    let answer = nap.await.expect("joined");
    assert!(begun.elapsed() < SOON, "it is not waited for");
    let message = answer.json()["error"]["message"].as_str().expect("an error").to_owned();
    assert!(message.contains("by the operator (operator)"), "{message}");
    assert_eq!(db.value("SELECT status FROM archon_mcp_requests WHERE tool_name = 'test_sleep'"), "error");
    // Counted: so what the call touched has been written, too.
    until(&db, &format!("SELECT calls FROM archon_mcp_sessions WHERE session_id = '{id}'"), "1").await;
    assert_eq!(db.value("SELECT CAST(late AS INTEGER) FROM archon_mcp_requests WHERE tool_name = 'test_sleep'"), "1");
    assert_eq!(db.rows(activity), before);
    refused(&session, "operator").await;
    Life::Archon.assert_ended(&db, id, ["expired", "operator", "sql"]);
});

on_every_database!(the_cleanup_and_the_clients_may_find_the_same_end, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h"]).await;
    let mcp = Mcp::new(server.url());
    let sessions = join_all((0..100).map(|_| mcp.initialize(REVISION))).await;
    join_all(sessions.iter().map(echo)).await;
    // The move wakes the cleanup; no client waits for it.
    advance(&mut server, "61m").await;
    for (session, next) in sessions.iter().zip(join_all(sessions.iter().map(echo)).await) {
        assert_ne!(archon(session), next);
    }
    let ends = "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'ended'";
    assert_eq!(db.value(ends), "100", "each ends once");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "200", "and has one after it");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'"), "100");
});

on_every_database!(captured_words_have_a_retention_of_their_own, |db| async {
    let mut server = start(&db, &["--capture", "all", "--capture-retention", "1h"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    let captures = "SELECT COUNT(*) FROM archon_mcp_captures";
    assert_eq!(db.value(captures), "1");
    advance_over_a_cleanup(&mut server, "2h").await;
    until(&db, captures, "0").await;
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE method = 'tools/call'"), "1");
});

on_every_database!(what_is_older_than_the_retention_is_removed, |db| async {
    let limits = ["--session-timeout", "1h", "--protocol-session-timeout", "90m", "--retention", "1d"];
    let mut server = start(&db, &limits).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    // First it ends, then it is old.
    advance_over_a_cleanup(&mut server, "2h").await;
    refused(&session, "timeout").await;
    let left = "SELECT (SELECT COUNT(*) FROM archon_mcp_requests) + (SELECT COUNT(*) FROM archon_mcp_sessions) \
                + (SELECT COUNT(*) FROM archon_mcp_protocol_sessions)";
    assert_ne!(db.value(left), "0");
    advance_over_a_cleanup(&mut server, "2d").await;
    until(&db, left, "0").await;
    assert_ne!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "0");
    let answer = session.request("ping", json!({})).await;
    assert_eq!((answer.status, &answer.json()["error"]["data"]["reason"]), (404, &json!("session_unknown")));
});

on_every_database!(a_live_connection_loses_its_old_archon_sessions_alone, |db| async {
    let mut server = start(&db, &["--session-timeout", "1h", "--retention", "1d"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    advance(&mut server, "2h").await;
    let second = echo(&session).await;
    advance_over_a_cleanup(&mut server, "50h").await;
    // A run removes a day's worth at most.
    for _ in 0..2 {
        advance_over_a_cleanup(&mut server, "6m").await;
    }
    until(&db, "SELECT COUNT(*) FROM archon_mcp_sessions", "1").await;
    assert_ne!(echo(&session).await, second);
    until(&db, "SELECT calls FROM archon_mcp_protocol_sessions", "3").await;
});
