//! A rolling restart behind a balancer: each server in turn drains, ends and is started again. No client notices.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::balancer::{Balancer, LOOK_EVERY};
use super::{Fleet, REVISION, SERVERS, SOON, is_long, next};
use crate::databases::Database;
use crate::http::{Answer, Connection, Mcp, Session};
use crate::process::ServeProcess;

/// A server goes on for so long after its `/readyz` says no: the balancer has seen it by then, and every client that is
/// at work has been told to come on another connection.
const DRAIN_DELAY: Duration = Duration::from_secs(1);
/// A call that has begun is finished, however the restart lies.
const LONG_CALL_MS: u64 = 1500;

fn measure() -> (usize, usize) {
    if is_long() { (60, 200) } else { (SERVERS, 40) }
}

/// A client that keeps its connection for as long as the server does, and repeats nothing: whatever fails, fails the test.
struct Client {
    balancer: String,
    session: Session,
    connection: Option<Connection>,
    /// Connections that it was told to leave.
    left: u64,
}

impl Client {
    async fn open(balancer: &Balancer) -> Self {
        let session = Mcp::new(&format!("http://{}/mcp", balancer.address())).initialize(REVISION).await;
        Self { balancer: balancer.address().to_owned(), session, connection: None, left: 0 }
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.balancer).await?,
        };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        let headers = [("content-type", "application/json"), ("mcp-session-id", self.session.id.as_str())];
        connection.request("POST /mcp", &headers, &body.to_string()).await?;
        let answer = connection.answer().await?;
        if answer.header("connection") == Some("close") {
            self.left += 1;
            assert!(connection.is_closed().await?, "a connection that was to close");
        } else {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Calls over and over, with little pauses; every fourth client with calls that are longer than a drain.
    async fn work(mut self, n: usize, done: Arc<AtomicBool>, calls: Arc<AtomicU64>) -> (Session, u64) {
        let (mut state, is_patient) = (n as u64 + 1, n.is_multiple_of(4));
        let (tool, arguments) =
            if is_patient { ("test_sleep", json!({"ms": LONG_CALL_MS})) } else { ("test_echo", json!({"text": "x"})) };
        while !done.load(Relaxed) {
            let answer = self.call(tool, &arguments).await;
            let answer = answer.unwrap_or_else(|e: Error| panic!("{tool}, client {n}: {e}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["result"]["isError"], false, "{}", answer.text());
            assert_eq!(answer.header("x-archon-session-id"), self.session.archon.as_deref());
            calls.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(next(&mut state) as u64 % 40)).await;
        }
        (self.session, self.left)
    }
}

/// Drains one server, waits for its end, starts it again at its address.
async fn restart(fleet: &Fleet, n: usize, db: &Database, arguments: &[&str]) {
    let mut server = fleet.servers[n % SERVERS].lock().await;
    server.sigterm();
    assert!(server.ended(SOON).await.success(), "a clean end");
    *server = ServeProcess::restart_on(db.url(), &fleet.addresses[n % SERVERS], db, arguments).await;
    // The balancer leads to it again, before the next one goes.
    sleep(LOOK_EVERY * 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_a_balancer_is_noticed_by_nobody() {
    let Some(db) = Database::postgres() else { return };
    let (restarts, clients) = measure();
    let delay = format!("{}ms", DRAIN_DELAY.as_millis());
    let arguments = ["--test-tools", "--drain-delay", &delay, "--grace", "10s"];
    let fleet = Fleet::start_with(&db, db.url(), &arguments).await;
    let balancer = Balancer::before(&fleet.addresses).await;
    let workers = join_all((0..clients).map(|_| Client::open(&balancer))).await;
    let (done, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let workers = workers.into_iter().enumerate();
    let workers: Vec<_> =
        workers.map(|(n, client)| tokio::spawn(client.work(n, done.clone(), calls.clone()))).collect();
    let began = Instant::now();
    for n in 0..restarts {
        restart(&fleet, n, &db, &arguments).await;
        assert!(!workers.iter().any(tokio::task::JoinHandle::is_finished), "a client failed");
    }
    done.store(true, Relaxed);
    let mut left = 0;
    for worker in workers {
        let (session, moved) = worker.await.expect("a client");
        left += moved;
        assert_eq!(session.request("ping", json!({})).await.status, 200);
    }
    let calls = calls.load(Relaxed);
    println!(
        "{restarts} restarts in {:?}: {calls} calls, none failed; {left} times another connection",
        began.elapsed()
    );
    assert!(left > 0, "clients were told to come again");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status <> 'active'"), "0");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'ended'"), "0");
    let stored =
        db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name LIKE 'test_%' AND status = 'success'");
    assert_eq!(stored, calls.to_string(), "each call once");
}
