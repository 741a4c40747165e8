//! Time that was nobody's idleness: clocks that are set, freezes, a database that was away. And real idleness beside it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Life, REVISION, SOON, echo, until};
use crate::databases::{Blockade, Database, on_every_database};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;

const LIMITS: [&str; 6] =
    ["--test-tools", "--test-clock", "--session-timeout", "1h", "--protocol-session-timeout", "3h"];

fn archon(session: &Session) -> &str {
    session.archon.as_deref().expect("an Archon session")
}

async fn opened(server: &ServeProcess) -> Session {
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    echo(&session).await;
    session
}

/// What was credited, in seconds.
fn credited(db: &Database) -> Vec<i64> {
    let rows = db.rows("SELECT credit_ms / 1000 FROM archon_mcp_outages ORDER BY number");
    rows.iter().map(|row| row[0].as_deref().expect("a number").parse().expect("a number")).collect()
}

/// An hour in which nobody uses it, with a cleanup after it, ends the Archon session, and nothing else.
async fn assert_idleness_still_ends(server: &mut ServeProcess, db: &Database, session: &Session) {
    server.write_line("advance 61m");
    server.wait_for_line("Cleaned up 1 expired sessions", SOON).await;
    let id = archon(session);
    let end = format!("SELECT status, disconnect_reason FROM archon_mcp_sessions WHERE session_id = '{id}'");
    assert_eq!(db.rows(&end), [[Some("expired".to_owned()), Some("timeout".to_owned())]]);
    assert_ne!(echo(session).await, id);
    Life::Protocol.assert_active(db, &session.id);
}

async fn stepped(db: Database, step: &str, seconds: i64) {
    let mut server = ServeProcess::start(&db, &LIMITS).await;
    let session = opened(&server).await;
    server.write_line(&format!("step {step}"));
    server.wait_for_line("this does not count as idle time", SOON).await;
    assert_eq!(echo(&session).await, archon(&session), "nobody was idle");
    if db.is_postgres() {
        // The database's clock is as it was.
        let beats = "SELECT COUNT(*) FROM archon_mcp_boots WHERE heartbeat_at > started_at";
        until(&db, beats, "1").await;
        assert!(credited(&db).is_empty(), "{:?}", credited(&db));
    } else {
        until(&db, "SELECT COUNT(*) FROM archon_mcp_outages", "1").await;
        assert!(credited(&db)[0].abs_diff(seconds) <= 2, "{:?}", credited(&db));
    }
    assert_idleness_still_ends(&mut server, &db, &session).await;
}

on_every_database!(a_clock_set_two_hours_ahead_ends_nobody, |db| async { stepped(db, "2h", 7200).await });
on_every_database!(a_clock_set_two_hours_back_keeps_nobody, |db| async { stepped(db, "-2h", -7200).await });
on_every_database!(a_clock_set_a_month_ahead_ends_nobody, |db| async { stepped(db, "30d", 2_592_000).await });

on_every_database!(a_freeze_is_credited_whole, |db| async {
    let mut server = ServeProcess::start(&db, &LIMITS).await;
    let session = opened(&server).await;
    for (freeze, recorded) in [("9s", "1"), ("2h", "2")] {
        server.write_line(&format!("freeze {freeze}"));
        assert_eq!(echo(&session).await, archon(&session));
        until(&db, "SELECT COUNT(*) FROM archon_mcp_outages WHERE cause = 'freeze'", recorded).await;
    }
    let credited = credited(&db);
    assert!(credited[0].abs_diff(9) <= 2 && credited[1].abs_diff(7200) <= 2, "{credited:?}");
    assert_idleness_still_ends(&mut server, &db, &session).await;
});

on_every_database!(what_a_test_advances_is_no_gap, |db| async {
    let mut server = ServeProcess::start(&db, &LIMITS).await;
    let session = opened(&server).await;
    assert_idleness_still_ends(&mut server, &db, &session).await;
    assert!(credited(&db).is_empty(), "{:?}", credited(&db));
});

/// What a server writes of sessions and of itself.
const LOCK: &str = "LOCK TABLE archon_mcp_boots, archon_mcp_protocol_sessions, archon_mcp_sessions IN EXCLUSIVE MODE";

// Its clients are told that their sessions are kept.
on_every_database!(a_database_that_takes_nothing_for_longer_than_the_timeout_ends_nobody, |db| async {
    let limits = ["--session-timeout", "4s", "--protocol-session-timeout", "4s", "--store-grace", "2s"];
    let server = ServeProcess::start(&db, &[&limits[..], &["--test-tools", "--cleanup-interval", "1s"]].concat()).await;
    let sessions = [opened(&server).await, opened(&server).await];
    let blockade = Blockade::of(&db, LOCK).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(13) {
        // One asks all the while, and the other does not.
        let answer = sessions[0].request("ping", json!({})).await;
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    blockade.release().await;
    let begun = Instant::now();
    for session in &sessions {
        let mut answer = session.request("ping", json!({})).await;
        while answer.status == 503 && begun.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = session.request("ping", json!({})).await;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    until(&db, "SELECT COUNT(*) FROM archon_mcp_outages WHERE cause = 'database'", "1").await;
    let credited = credited(&db);
    assert!((11..=18).contains(&credited[0]), "{credited:?}");
});

// A session that was not in memory when the clock was set back is used again and again after it.
on_every_database!(a_session_that_is_used_after_the_clock_was_set_back_lives, |db| async {
    let mut server = ServeProcess::start(&db, &LIMITS).await;
    let session = opened(&server).await;
    // Out of memory: its row alone knows it, on the old scale.
    server.sigkill();
    let mut server = ServeProcess::start_at(server.address(), &db, &LIMITS).await;
    server.write_line("step -2h");
    server.wait_for_line("this does not count as idle time", SOON).await;
    for n in 1..=6 {
        assert_eq!(echo(&session).await, archon(&session));
        server.write_line("advance 20m");
        let began = Instant::now();
        while server.lines().iter().filter(|line| line.contains("clock advanced")).count() < n {
            assert!(began.elapsed() < SOON, "the clock does not advance");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(echo(&session).await, archon(&session), "two hours, and never idle for one");
    assert_idleness_still_ends(&mut server, &db, &session).await;
});
