//! How a server begins and ends: whenever it is told to, with every acknowledged row, and the next one goes on.

mod closed_terminal;
mod files;
mod hang_up;
mod kept_port;
mod moments;
mod replaced;
mod service_manager;

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection as _, Executor, PgConnection};

use crate::databases::{Database, on_every_database};
use crate::http::{Connection, Mcp, Session};
use crate::process::ServeProcess;

const REVISION: &str = "2025-11-25";
/// For whatever should happen soon: generous, since a passing test never waits for it.
const SOON: Duration = Duration::from_secs(30);

/// One call; whether its row was promised.
async fn call(session: &Session) -> bool {
    let answer = session.request("tools/call", json!({"name": "test_echo", "arguments": {"text": "x"}})).await;
    answer.status == 200 && answer.header("x-archon-record").is_none()
}

fn rows(db: &Database) -> u64 {
    db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo'").parse().expect("a number")
}

on_every_database!(a_stopped_server_leaves_nothing_beside_its_database, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    assert!(call(&session).await);
    server.sigterm();
    assert_eq!(server.ended(SOON).await.code(), Some(0));
    server.wait_for_line("stopped; every session is kept", SOON).await;
    for end in ["-wal", "-shm"] {
        assert!(!db.folder().join(format!("archon.db{end}")).exists(), "{end}");
    }
    assert_eq!(rows(&db), 1);
    assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots"), "clean");
    let server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
    assert!(call(&session.at(Mcp::new(server.url()))).await, "the session goes on");
});

/// Idle connections, and requests that have not arrived whole, are nobody's work; a call that runs is.
#[tokio::test]
async fn a_stop_waits_for_calls_and_for_nobody_else() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &["--test-tools", "--grace", "20s"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    let mut strangers = Vec::new();
    for half in [String::new(), head.to_owned(), format!("{head}Content-Length: 100\r\n\r\n{{")] {
        let mut stranger = Connection::open(server.address()).await.expect("a connection");
        stranger.send(half).await.expect("sent");
        strangers.push(stranger);
    }
    // A connection that was served, and then has sent a half.
    let mut half_again = Connection::open(server.address()).await.expect("a connection");
    half_again.request("GET /healthz", &[], "").await.expect("sent");
    assert_eq!(half_again.answer().await.expect("an answer").status, 200);
    half_again.send(head).await.expect("sent");
    strangers.push(half_again);
    let napping = session.clone();
    let nap = tokio::spawn(async move {
        napping.request("tools/call", json!({"name": "test_sleep", "arguments": {"ms": 1500}})).await
    });
    let running = "SELECT COUNT(*) FROM archon_mcp_sessions";
    while db.value(running) == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    server.sigterm();
    assert_eq!(nap.await.expect("a task").status, 200, "a call that runs is answered");
    assert_eq!(server.ended(SOON).await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!server.lines().iter().any(|line| line.contains("cut short")), "no call was");
    drop(strangers);
}

#[tokio::test]
async fn the_second_signal_stops_at_once() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let db = Database::sqlite();
        let mut server = ServeProcess::start(&db, &["--test-tools", "--grace", "5m"]).await;
        let session = Mcp::new(server.url()).initialize(REVISION).await;
        let nap = tokio::spawn(async move {
            let arguments = json!({"name": "test_sleep", "arguments": {"ms": 300_000}});
            _ = session
                .post(&[], json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}).to_string())
                .await;
        });
        while db.value("SELECT COUNT(*) FROM archon_mcp_sessions") == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.signal(name);
        server.wait_for_line("stopping", SOON).await;
        server.signal(name);
        assert_eq!(server.ended(SOON).await.code(), Some(code), "{name}");
        nap.await.expect("a task");
    }
}

/// Rows that somebody holds are no outage: the server says what it leaves, and its boot ends like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_row_is_in_the_way_of_no_stop() {
    let Some(db) = Database::postgres() else { return };
    let mut server = ServeProcess::start(&db, &["--test-tools", "--grace", "100ms", "--ack-deadline", "100ms"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    assert!(call(&session).await);
    let mut holder = PgConnection::connect(db.url()).await.expect("connect");
    holder.execute("BEGIN; SELECT 1 FROM archon_mcp_sessions FOR UPDATE").await.expect("held");
    assert!(!call(&session).await);
    server.wait_for_line("an open transaction in the database holds rows", SOON).await;
    server.sigterm();
    server.ended(SOON).await;
    assert_eq!((rows(&db), db.value("SELECT end_cause FROM archon_mcp_boots").as_str()), (1, "clean"));
    server.wait_for_line("stopping with rows that the database did not take", SOON).await;
}
