//! Kill it, start it, and every session is still there, with all that it was told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{REVISION, SOON, call_body, echo, get, health, nap, until};
use crate::databases::{Database, on_every_database};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;

/// So many sessions are live when the server goes.
const SESSIONS: usize = 200;
/// To repeat a run: the number that it printed.
const SEED: &str = "ARCHONCTL_TEST_SEED";

/// What one session's client knows of its calls.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    /// Answered, and not marked as deferred: their rows are promised.
    acknowledged: AtomicU64,
    answered: AtomicU64,
}

/// Clients that call without a pause.
struct Traffic {
    sessions: Vec<(Session, Arc<Tally>)>,
    tasks: Vec<JoinHandle<()>>,
    answered: Arc<AtomicU64>,
    one_more: Arc<Notify>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    /// Opens the sessions and lets all of them call until nothing answers any more.
    async fn start(url: &str) -> Self {
        let mcp = Mcp::new(url);
        let opened = join_all((0..SESSIONS).map(|_| mcp.initialize(REVISION))).await;
        let sessions: Vec<_> = opened.into_iter().map(|session| (session, Arc::<Tally>::default())).collect();
        let (answered, one_more) = (Arc::<AtomicU64>::default(), Arc::<Notify>::default());
        let stop = Arc::<AtomicBool>::default();
        let tasks = sessions.iter().cloned().enumerate().map(|(n, (session, tally))| {
            let (answered, one_more, stop) = (answered.clone(), one_more.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Relaxed) && call(n, &session, &tally).await {
                    answered.fetch_add(1, Relaxed);
                    one_more.notify_waiters();
                }
            })
        });
        let tasks = tasks.collect();
        Self { sessions, tasks, answered, one_more, stop }
    }

    /// Waits until so many calls were answered.
    async fn reach(&self, answers: u64) {
        let reached = async {
            loop {
                let next = self.one_more.notified();
                if self.answered.load(Relaxed) >= answers {
                    return;
                }
                next.await;
            }
        };
        assert!(tokio::time::timeout(SOON, reached).await.is_ok(), "{answers} answers");
    }

    /// The server is gone: every client has noticed.
    async fn over(&mut self) {
        self.stop.store(true, Relaxed);
        for task in self.tasks.drain(..) {
            task.await.expect("a client does not panic");
        }
    }

    /// Every session calls under its old id, all at once, and gets its old Archon session.
    async fn all_answer(&self) {
        let calls = self.sessions.iter().enumerate().map(|(n, (session, tally))| async move {
            assert!(call(n, session, tally).await, "session {} is lost", session.id);
            assert_eq!(session.archon, Some(echo(session).await));
            for count in [&tally.sent, &tally.answered, &tally.acknowledged] {
                count.fetch_add(1, Relaxed);
            }
        });
        join_all(calls).await;
    }

    /// No promised row is missing, and none is there twice.
    fn assert_rows(&self, db: &Database) {
        let rows = db.rows(
            "SELECT protocol_session_id, COUNT(*) FROM archon_mcp_requests \
             WHERE tool_name IN ('test_echo', 'health_check') GROUP BY 1",
        );
        let count_of = |id: &str| {
            let row = rows.iter().find(|row| row[0].as_deref() == Some(id));
            row.and_then(|row| row[1].as_deref()).map_or(0, |n| n.parse::<u64>().expect("a count"))
        };
        for (session, tally) in &self.sessions {
            let stored = count_of(&session.id);
            assert!(
                (tally.acknowledged.load(Relaxed)..=tally.sent.load(Relaxed)).contains(&stored),
                "{}: {stored} rows, {tally:?}",
                session.id
            );
        }
    }
}

/// One call; `false` when no answer came because the server is gone, or it is stopping.
async fn call(n: usize, session: &Session, tally: &Tally) -> bool {
    let body = if n.is_multiple_of(20) {
        call_body("health_check", &json!({}))
    } else {
        call_body("test_echo", &json!({"text": "survive"}))
    };
    tally.sent.fetch_add(1, Relaxed);
    let Ok(answer) = session.post(&[], body).await else { return false };
    assert_eq!(answer.status, 200, "a call is answered or cut, never refused: {}", answer.text());
    assert_eq!(answer.json()["result"]["isError"], false, "{}", answer.text());
    tally.answered.fetch_add(1, Relaxed);
    if answer.header("x-archon-record").is_none() {
        tally.acknowledged.fetch_add(1, Relaxed);
    }
    true
}

/// The id of a new session; `None` when no answer came.
async fn open(mcp: &Mcp) -> Option<String> {
    let params = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let answer = mcp.post(&[], body.to_string()).await.ok()?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("mcp-session-id").map(str::to_owned)
}

/// A moment that differs from run to run, told so that it can be had again.
fn some_answers() -> u64 {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos().into();
    let seed: u64 = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or_else(now);
    println!("{SEED}={seed}");
    // Knuth's multiplier scatters neighbouring seeds.
    300 + (seed.wrapping_mul(6_364_136_223_846_793_005) >> 33) % 2000
}

/// The counters of sessions and the sums by minute are those of the rows.
async fn assert_folded(db: &Database) {
    let astray = "SELECT COUNT(*) FROM archon_mcp_sessions s WHERE s.calls <> \
         (SELECT COUNT(*) FROM archon_mcp_requests r WHERE r.session_id = s.session_id AND r.tool_name IS NOT NULL)";
    until(db, astray, "0").await;
    let unfolded = "SELECT (SELECT COUNT(*) FROM archon_mcp_requests) - \
         (SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) FROM archon_mcp_rollups)";
    until(db, unfolded, "0").await;
    let by_tool = |table: &str, sum: &str, tool: &str, tokens: &str| {
        db.rows(&format!(
            "SELECT method, {tool}, status, CAST({sum} AS BIGINT), CAST(SUM(duration_us) AS BIGINT), \
             CAST(COALESCE(SUM({tokens}), 0) AS BIGINT) FROM {table} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ))
    };
    let rows = by_tool("archon_mcp_requests", "COUNT(*)", "COALESCE(tool_name, '')", "completion_tokens");
    assert_eq!(by_tool("archon_mcp_rollups", "SUM(calls)", "tool_name", "completion_tokens"), rows);
}

/// On PostgreSQL other servers may live: a silent boot is dead after 45 seconds, and its sums are finished by the
/// cleanup after that.
async fn bury_the_dead(db: &Database, server: &mut ServeProcess) {
    server.write_line("advance 6m");
    until(db, "SELECT COUNT(*) FROM archon_mcp_boots WHERE end_cause = 'crash'", "1").await;
    server.write_line("advance 6m");
}

on_every_database!(every_session_survives_a_kill, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let mut traffic = Traffic::start(server.url()).await;
    traffic.reach(some_answers()).await;
    server.sigkill();
    traffic.over().await;

    let arguments = ["--test-tools", "--test-clock"];
    let mut server = ServeProcess::start_at(server.address(), &db, &arguments).await;
    traffic.all_answer().await;
    traffic.assert_rows(&db);
    let recovered = &health(&server).await["recovery"];
    assert_eq!(recovered["recovered_sessions"], SESSIONS, "{recovered}");
    assert_eq!(recovered["resumed_sessions"], SESSIONS, "{recovered}");
    bury_the_dead(&db, &mut server).await;
    assert_folded(&db).await;
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), SESSIONS.to_string());
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'ended'"), "0");
});

on_every_database!(every_id_that_was_given_out_survives_a_kill, |db| async {
    // Else the request's own row, which follows it in the queue, would wait for the commit in its place.
    let mut server = ServeProcess::start(&db, &["--tracking", "off"]).await;
    let (mcp, given, one_more) = (Mcp::new(server.url()), Arc::<Mutex<Vec<_>>>::default(), Arc::new(Notify::new()));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (mcp, given, one_more) = (mcp.clone(), given.clone(), one_more.clone());
            tokio::spawn(async move {
                while let Some(id) = open(&mcp).await {
                    given.lock().expect("a lock").push(id);
                    one_more.notify_one();
                }
            })
        })
        .collect();
    let wanted = usize::try_from(some_answers() / 4).expect("a count");
    while given.lock().expect("a lock").len() < wanted {
        one_more.notified().await;
    }
    server.sigkill();
    join_all(clients).await;
    let _server = ServeProcess::start_at(server.address(), &db, &[]).await;
    let given = given.lock().expect("a lock").clone();
    for id in given {
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
        let answer = mcp.post(&[("mcp-session-id", &id)], ping).await.expect("an answer");
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    }
});

on_every_database!(a_clean_stop_ends_no_call_and_no_session, |db| async {
    let arguments = ["--test-tools", "--drain-delay", "700ms", "--grace", "20s"];
    let mut server = ServeProcess::start(&db, &arguments).await;
    let mut traffic = Traffic::start(server.url()).await;
    let sleeper = Mcp::new(server.url()).initialize_as("sleeper", REVISION).await;
    let nap = nap(&db, &sleeper, 2000).await;
    traffic.reach(some_answers()).await;
    server.sigterm();
    let begun = Instant::now();
    // Still open, for a balancer to read that it should send nobody here.
    while get(server.address(), "/readyz").await.expect("open while it drains").status == 200 {
        assert!(begun.elapsed() < Duration::from_millis(700), "ready although it drains");
    }
    let answer = nap.await.expect("joined");
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(false)), "{}", answer.text());
    assert!(server.ended(SOON).await.success());
    traffic.over().await;

    // All is written by now: nobody has started since.
    traffic.assert_rows(&db);
    assert_folded(&db).await;
    assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots"), "clean");
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        assert_eq!(db.value(&format!("SELECT COUNT(*) FROM {table} WHERE status <> 'active'")), "0");
    }
    let _server = ServeProcess::start_at(server.address(), &db, &arguments).await;
    traffic.all_answer().await;
    assert_eq!(sleeper.archon, Some(echo(&sleeper).await));
});

on_every_database!(what_outlasts_the_grace_is_cut_and_answered, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools", "--grace", "200ms"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let nap = nap(&db, &session, 600_000).await;
    server.sigterm();
    let answer = nap.await.expect("joined");
    assert_eq!(answer.json()["error"]["data"]["reason"], "cut_short", "{}", answer.text());
    assert!(server.ended(SOON).await.success());
    let row = db.rows("SELECT status, error_message FROM archon_mcp_requests WHERE tool_name = 'test_sleep'");
    assert_eq!(row, [[Some("error".to_owned()), Some("the server stopped before the tool had finished".to_owned())]]);
});

on_every_database!(concurrent_first_hits_find_one_session, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    // One whose Archon session exists, and one that has never called a tool.
    let mcp = Mcp::new(server.url());
    let (known, fresh) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    echo(&known).await;
    server.sigkill();

    let server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
    for session in [&known, &fresh] {
        let hits = join_all((0..64).map(|_| echo(session))).await;
        let archon = session.archon.as_deref().expect("an Archon session");
        assert!(hits.iter().all(|hit| hit == archon), "{archon}: {hits:?}");
        let of = format!("WHERE session_id = '{archon}'");
        assert_eq!(db.value(&format!("SELECT COUNT(*) FROM archon_mcp_sessions {of}")), "1");
        let recovered = format!(
            "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'recovered' AND protocol_session_id = '{}'",
            session.id
        );
        until(&db, &recovered, "1").await;
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "2");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo'"), "129");
    assert_eq!(health(&server).await["recovery"]["resumed_sessions"], 2);
});
