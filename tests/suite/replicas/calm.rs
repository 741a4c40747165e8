//! Nothing fails: servers that write the same sessions all the time stay out of each other's way, and always say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::pooler::Pooler;
use super::{Fleet, REVISION, SERVERS, is_long};
use crate::databases::Database;
use crate::http::{Connection, Session};

/// Clients at work at once.
const CLIENTS: u32 = 16;
/// How often each server is asked whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// For how long, how many sessions, and calls a second.
struct Measure {
    time: Duration,
    sessions: usize,
    rate: u32,
}

fn measure() -> Measure {
    if is_long() {
        Measure { time: Duration::from_mins(1), sessions: 800, rate: 2900 }
    } else {
        Measure { time: Duration::from_secs(6), sessions: 200, rate: 400 }
    }
}

/// Calls in any of the sessions at any of the servers, so many a second; what is missed by chance is caught up with.
async fn call(fleet: Arc<Fleet>, sessions: Arc<Vec<Session>>, mut rng: Rng, (rate, until): (f64, Instant)) -> usize {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "test_echo", "arguments": {"text": "x"}}})
    .to_string();
    let connections = fleet.addresses.iter().map(|address| Connection::open(address));
    let mut connections: Vec<_> = join_all(connections).await.into_iter().map(|c| c.expect("a connection")).collect();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = 0;
    while Instant::now() < until {
        ticks.tick().await;
        let session = &sessions[rng.usize(..sessions.len())];
        let connection = &mut connections[rng.usize(..SERVERS)];
        let headers = [("content-type", "application/json"), ("mcp-session-id", session.id.as_str())];
        connection.request("POST /mcp", &headers, &body).await.expect("sent");
        let answer = connection.answer().await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        calls += 1;
    }
    calls
}

/// Asks a server all the while whether it is ready; returns how often it was asked.
async fn watch(address: String, is_over: Arc<AtomicBool>, no: Arc<AtomicUsize>) -> usize {
    let mut connection = Connection::open(&address).await.expect("a connection");
    let mut looks = 0;
    while !is_over.load(Relaxed) {
        connection.request("GET /readyz", &[], "").await.expect("sent");
        let answer = connection.answer().await.expect("an answer");
        if answer.status != 200 {
            println!("{address}: {} {}", answer.status, answer.text());
            no.fetch_add(1, Relaxed);
        }
        looks += 1;
        sleep(LOOK_EVERY).await;
    }
    looks
}

async fn stays_out_of_each_others_way(db: &Database, url: &str) {
    let Measure { time, sessions, rate } = measure();
    let fleet = Arc::new(Fleet::start(db, url).await);
    let mut opened = Vec::new();
    let mcps: Vec<_> = (0..SERVERS).map(|n| fleet.mcp(n)).collect();
    while opened.len() < sessions {
        opened.extend(join_all(mcps.iter().map(|mcp| mcp.initialize(REVISION))).await);
    }
    let opened = Arc::new(opened);
    let (is_over, no) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let addresses = fleet.addresses.iter().cloned();
    let watches: Vec<_> = addresses.map(|address| tokio::spawn(watch(address, is_over.clone(), no.clone()))).collect();
    let pace = (f64::from(rate) / f64::from(CLIENTS), Instant::now() + time);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::spawn(call(fleet.clone(), opened.clone(), Rng::with_seed(n.into()), pace)))
        .collect();
    let calls: usize = join_all(clients).await.into_iter().map(|calls| calls.expect("a client")).sum();
    is_over.store(true, Relaxed);
    let looks: usize = join_all(watches).await.into_iter().map(|looks| looks.expect("a watch")).sum();
    println!("{calls} calls in {time:?}; {looks} looks at /readyz, {} times no", no.load(Relaxed));
    assert!(looks >= 10 * SERVERS && calls >= sessions / 2, "{looks} looks, {calls} calls");
    assert_eq!(no.load(Relaxed), 0, "a server said that it is not ready");
    assert_eq!(
        db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo' AND status = 'success'"),
        calls.to_string(),
        "each call once"
    );
    drop(fleet);
    // The statistics of connections arrive when they end, at the latest.
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let deadline = Instant::now() + super::SOON;
    while db.value(others) != "0" && Instant::now() < deadline {
        // A pooler keeps its connections.
        db.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(db.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), "0", "deadlocks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_stay_out_of_each_others_way() {
    if let Some(db) = Database::postgres() {
        stays_out_of_each_others_way(&db, db.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_stay_out_of_each_others_way_behind_a_pooler() {
    let Some(db) = Database::postgres() else { return };
    let pooler = Pooler::before(&db);
    stays_out_of_each_others_way(&db, &pooler.url(&db)).await;
}
