//! Several servers on one PostgreSQL, without affinity: directly, and through a pooler that gives every transaction another
//! connection.

mod balancer;
mod calm;
mod cancelled;
mod faults;
mod given_up;
mod killed;
mod pooler;
mod rolling;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::databases::Database;
use crate::http::{Answer, Mcp, Session};
use crate::process::ServeProcess;
use pooler::Pooler;

const REVISION: &str = "2025-11-25";
const SERVERS: usize = 3;
/// An end made on one server is honoured by the others within the lease of a second, and what a busy machine adds.
const HONOURED: Duration = Duration::from_millis(1500);
const SOON: Duration = Duration::from_mins(1);

/// How long, and how many clients: short by default; `scripts/deep.sh` sets `ARCHONCTL_TEST_LONG` for the full measure.
fn is_long() -> bool {
    std::env::var_os("ARCHONCTL_TEST_LONG").is_some_and(|value| !value.is_empty())
}

fn measure() -> (Duration, usize) {
    if is_long() { (Duration::from_mins(1), 300) } else { (Duration::from_secs(8), 60) }
}

/// Servers that take each other's place; each is locked while it is killed and started.
struct Fleet {
    servers: Vec<Mutex<ServeProcess>>,
    addresses: Vec<String>,
}

impl Fleet {
    async fn start(db: &Database, url: &str) -> Self {
        Self::start_with(db, url, &["--test-tools"]).await
    }

    async fn start_with(db: &Database, url: &str, arguments: &[&str]) -> Self {
        let server = || ServeProcess::start_on(url, db, arguments);
        let servers = join_all((0..SERVERS).map(|_| server())).await;
        let addresses = servers.iter().map(|server| server.address().to_owned()).collect();
        Self { servers: servers.into_iter().map(Mutex::new).collect(), addresses }
    }

    fn mcp(&self, n: usize) -> Mcp {
        Mcp::new(&format!("http://{}/mcp", self.addresses[n % SERVERS]))
    }

    /// Kills one and starts it again, at its old address.
    async fn replace(&self, n: usize, url: &str, db: &Database) {
        let mut server = self.servers[n % SERVERS].lock().await;
        if n.is_multiple_of(2) {
            server.sigkill();
        } else {
            server.sigterm();
            server.ended(SOON).await;
        }
        *server = ServeProcess::restart_on(url, &self.addresses[n % SERVERS], db, &["--test-tools"]).await;
    }
}

/// What one client knows of its calls.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    promised: AtomicU64,
    answered: AtomicU64,
}

/// A small generator, so that clients choose servers each in a way of its own and still always the same.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits")
}

/// Calls at a server of its choice, over and over. Whoever is not there, or goes in the middle, is no answer; every answer
/// that comes is a success, at the latest at the second try of a server that is stopping.
async fn wander(fleet: Arc<Fleet>, session: Session, tally: Arc<Tally>, mut state: u64, until: Instant) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "test_echo", "arguments": {"text": "x"}}})
    .to_string();
    while Instant::now() < until {
        let at = session.clone().at(fleet.mcp(next(&mut state)));
        tally.sent.fetch_add(1, Relaxed);
        let Ok(answer) = at.post(&[], body.clone()).await else { continue };
        if answer.status == 503 {
            // It is stopping, and says so.
            assert!(answer.header("retry-after").is_some(), "{}", answer.text());
            continue;
        }
        assert_eq!(answer.status, 200, "{} {}", session.id, answer.text());
        let cut = answer.json()["error"]["data"]["reason"] == "cut_short";
        assert!(cut || answer.json()["result"]["isError"] == false, "{}", answer.text());
        assert_eq!(answer.header("x-archon-session-id"), session.archon.as_deref(), "one session, whichever server");
        tally.answered.fetch_add(1, Relaxed);
        tally.promised.fetch_add(u64::from(answer.header("x-archon-record").is_none()), Relaxed);
    }
}

async fn until_value(db: &Database, sql: &str, wanted: &str) {
    let deadline = Instant::now() + SOON;
    while db.value(sql) != wanted {
        assert!(Instant::now() < deadline, "{} is not {wanted}: {sql}", db.value(sql));
        sleep(Duration::from_millis(50)).await;
    }
}

/// Every server refuses the session, within the time in which an end is honoured everywhere.
async fn refused_everywhere(fleet: &Fleet, session: &Session, since: Instant) {
    for n in 0..SERVERS {
        let at = session.clone().at(fleet.mcp(n));
        loop {
            let answer: Answer = at.request("ping", json!({})).await;
            if answer.status == 404 {
                break;
            }
            assert!(since.elapsed() < HONOURED, "server {n}: {} {}", answer.status, answer.text());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Clients wander among servers that are killed and started; no session is lost or ends twice, no promised row is missing.
async fn holds(db: &Database, url: &str) {
    let (duration, clients) = measure();
    let fleet = Arc::new(Fleet::start(db, url).await);
    let sessions = join_all((0..clients).map(|n| {
        let mcp = fleet.mcp(n);
        async move { mcp.initialize(REVISION).await }
    }))
    .await;
    let until = Instant::now() + duration;
    let tallies: Vec<_> = sessions.iter().map(|_| Arc::<Tally>::default()).collect();
    let wanderers = sessions.iter().zip(&tallies).enumerate().map(|(n, (session, tally))| {
        tokio::spawn(wander(fleet.clone(), session.clone(), tally.clone(), n as u64 + 1, until))
    });
    let wanderers: Vec<_> = wanderers.collect();
    let mut turn = 0;
    while Instant::now() + Duration::from_secs(1) < until {
        sleep(Duration::from_millis(700)).await;
        fleet.replace(turn, url, db).await;
        turn += 1;
    }
    for wanderer in wanderers {
        wanderer.await.expect("a client");
    }
    assert!(turn >= 2, "servers were replaced");

    // All are there, on every server.
    for (n, session) in sessions.iter().enumerate() {
        let answer = session.clone().at(fleet.mcp(n + 1)).request("ping", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let twice = "SELECT COUNT(*) FROM (SELECT session_id, protocol_session_id FROM archon_mcp_session_events \
                 WHERE kind = 'ended' GROUP BY 1, 2 HAVING COUNT(*) > 1) t";
    assert_eq!(db.value(twice), "0");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status <> 'active'"), "0");
    let rows = db
        .rows("SELECT protocol_session_id, COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo' GROUP BY 1");
    let stored = |id: &str| {
        let row = rows.iter().find(|row| row[0].as_deref() == Some(id));
        row.and_then(|row| row[1].as_deref()).map_or(0, |n| n.parse::<u64>().expect("a count"))
    };
    for (session, tally) in sessions.iter().zip(&tallies) {
        let range = tally.promised.load(Relaxed)..=tally.sent.load(Relaxed);
        assert!(range.contains(&stored(&session.id)), "{}: {} rows, {tally:?}", session.id, stored(&session.id));
    }
    let answered: u64 = tallies.iter().map(|tally| tally.answered.load(Relaxed)).sum();
    assert!(answered > clients as u64, "{answered} answers");

    // Ends: by a client on one server, by hand in the database.
    let [closed, typed] = [&sessions[0], &sessions[1]];
    let since = Instant::now();
    assert_eq!(closed.clone().at(fleet.mcp(2)).delete().await.status, 204);
    refused_everywhere(&fleet, closed, since).await;
    let archon = typed.archon.as_deref().expect("an Archon session");
    let since = Instant::now();
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE session_id = '{archon}'"));
    refused_everywhere(&fleet, typed, since).await;
    until_value(db, "SELECT COUNT(*) FROM archon_mcp_sessions WHERE status <> 'active'", "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_take_each_others_place() {
    if let Some(db) = Database::postgres() {
        holds(&db, db.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_take_each_others_place_behind_a_pooler() {
    let Some(db) = Database::postgres() else { return };
    let pooler = Pooler::before(&db);
    holds(&db, &pooler.url(&db)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_is_noticed_and_nothing_else_is_taken_for_one() {
    let Some(db) = Database::postgres() else { return };
    let said = |server: &ServeProcess| server.lines().iter().any(|line| line.contains("a transaction pooler"));
    assert!(!said(&ServeProcess::start(&db, &[]).await));
    let pooler = Pooler::before(&db);
    assert!(said(&ServeProcess::start_on(&pooler.url(&db), &db, &[]).await));
}
