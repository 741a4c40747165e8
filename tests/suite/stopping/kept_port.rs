//! The port outlives the server: a process of our own keeps it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::time::sleep;

use super::*;
use crate::process::{archonctl, signal};

/// The process that serves now, and how many there were.
pub(super) fn serving(db: &Database) -> (u32, u32) {
    let row = &db.rows("SELECT pid, number FROM archon_mcp_boots ORDER BY number DESC LIMIT 1")[0];
    let number = |n: usize| row[n].as_deref().and_then(|text| text.parse().ok()).expect("a number");
    (number(0), number(1))
}

/// Waits for the next server; its process.
pub(super) async fn next_server(db: &Database, before: u32) -> u32 {
    let began = Instant::now();
    loop {
        let (pid, number) = serving(db);
        if number > before {
            return pid;
        }
        assert!(began.elapsed() < SOON, "no server after the one of number {before}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn is_alive(pid: u32) -> bool {
    // What has ended and waits for its parent is as good as gone.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn until_gone(pid: u32) {
    let began = Instant::now();
    while is_alive(pid) {
        assert!(began.elapsed() < SOON, "the server {pid} goes on");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Calls over and over, each time on a connection of its own. Whoever is refused a connection fails; one that is cut in
/// the middle of a call is counted.
async fn visit(address: String, session: String, done: Arc<AtomicBool>, cut: Arc<AtomicU64>) -> u64 {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "health_check", "arguments": {}}})
    .to_string();
    let headers = [("content-type", "application/json"), ("mcp-session-id", session.as_str()), ("connection", "close")];
    let mut answered = 0;
    while !done.load(Relaxed) {
        let mut connection = Connection::open(&address).await.expect("a connection");
        let answer = async {
            connection.request("POST /mcp", &headers, &body).await?;
            connection.answer().await
        };
        match answer.await {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answered += 1;
            }
            Err(_) => _ = cut.fetch_add(1, Relaxed),
        }
    }
    answered
}

on_every_database!(no_connection_is_refused_while_the_server_is_killed, |db| async {
    let mut keeper = ServeProcess::start(&db, &["--keep-port"]).await;
    let (address, session) = (keeper.address().to_owned(), Mcp::new(keeper.url()).initialize(REVISION).await);
    let (done, cut) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let visitors: Vec<_> =
        (0..4).map(|_| tokio::spawn(visit(address.clone(), session.id.clone(), done.clone(), cut.clone()))).collect();
    let kills = 4;
    for n in 0..kills {
        let (pid, number) = serving(&db);
        signal(pid, if n % 2 == 0 { "KILL" } else { "TERM" });
        next_server(&db, number).await;
        assert_eq!(session.request("ping", json!({})).await.status, 200);
    }
    done.store(true, Relaxed);
    let mut answered = 0;
    for visitor in visitors {
        answered += visitor.await.expect("a visitor");
    }
    assert!(answered > 20, "{answered} answers");
    // Those whose call was being served at a kill -9, and nobody else.
    assert!(cut.load(Relaxed) <= 4 * kills / 2, "{cut:?} were cut");
    keeper.wait_for_line("was killed by signal 9; it is started again", SOON).await;
    let (server, _) = serving(&db);
    keeper.sigterm();
    assert_eq!(keeper.ended(SOON).await.code(), Some(0));
    assert!(!is_alive(server));
    let causes = "SELECT end_cause FROM archon_mcp_boots ORDER BY number";
    let causes: Vec<_> = db.rows(causes).into_iter().map(|mut row| row.remove(0).expect("a cause")).collect();
    assert_eq!(causes, ["signal", "clean", "signal", "clean", "clean"]);
});

#[tokio::test]
async fn a_server_whose_keeper_is_killed_ends_in_order() {
    let db = Database::sqlite();
    let mut keeper = ServeProcess::start(&db, &["--keep-port"]).await;
    let (server, _) = serving(&db);
    keeper.sigkill();
    until_gone(server).await;
    assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots"), "clean");
    // The next one finds the port free.
    ServeProcess::start_at(keeper.address(), &db, &["--keep-port"]).await;
}

#[tokio::test]
async fn a_keeper_that_is_started_again_waits_for_the_server_that_still_ends() {
    let db = Database::sqlite();
    let arguments = ["--keep-port", "--test-tools"];
    let mut keeper = ServeProcess::start(&db, &arguments).await;
    let session = Mcp::new(keeper.url()).initialize(REVISION).await;
    let napping = session.clone();
    let nap = tokio::spawn(async move {
        napping.request("tools/call", json!({"name": "test_sleep", "arguments": {"ms": 3000}})).await
    });
    while db.value("SELECT COUNT(*) FROM archon_mcp_sessions") == "0" {
        sleep(Duration::from_millis(10)).await;
    }
    keeper.sigkill();
    let again = ServeProcess::start_at(keeper.address(), &db, &arguments).await;
    assert_eq!(nap.await.expect("a task").status, 200, "the call was finished");
    assert_eq!(session.at(Mcp::new(again.url())).request("ping", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_server_that_hangs_is_stopped_at_once_the_second_time() {
    let db = Database::sqlite();
    let mut keeper = ServeProcess::start(&db, &["--keep-port"]).await;
    let (server, _) = serving(&db);
    signal(server, "STOP");
    keeper.sigterm();
    keeper.wait_for_line("stopping", SOON).await;
    keeper.sigterm();
    assert_eq!(keeper.ended(SOON).await.code(), Some(143));
    until_gone(server).await;
}

#[tokio::test]
async fn a_hang_up_while_there_is_no_server_harms_none() {
    let db = Database::sqlite();
    let keeper = ServeProcess::start(&db, &["--keep-port"]).await;
    for _ in 0..3 {
        let (server, number) = serving(&db);
        signal(server, "KILL");
        until_gone(server).await;
        keeper.signal("HUP");
        next_server(&db, number).await;
    }
    assert!(!keeper.lines().iter().any(|line| line.contains("killed by signal 1;")), "{:#?}", keeper.lines());
}

#[tokio::test]
async fn an_interrupt_is_told_as_one() {
    let db = Database::sqlite();
    let mut keeper = ServeProcess::start(&db, &["--keep-port"]).await;
    keeper.signal("INT");
    assert_eq!(keeper.ended(SOON).await.code(), Some(0));
    assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots"), "interrupt");
}

#[tokio::test]
async fn a_keeper_passes_on_what_it_is_told() {
    let db = Database::sqlite();
    let mut keeper = ServeProcess::start(&db, &["--keep-port", "--test-tools", "--grace", "60s"]).await;
    keeper.signal("HUP");
    keeper.wait_for_line("there is no token file to read again", SOON).await;
    let session = Mcp::new(keeper.url()).initialize(REVISION).await;
    let nap = tokio::spawn(async move {
        session
            .post(
                &[],
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "test_sleep", "arguments": {"ms": 60_000}}})
                .to_string(),
            )
            .await
    });
    while db.value("SELECT COUNT(*) FROM archon_mcp_sessions") == "0" {
        sleep(Duration::from_millis(10)).await;
    }
    let (server, _) = serving(&db);
    let began = Instant::now();
    keeper.sigterm();
    keeper.wait_for_line("stopping", SOON).await;
    // A call keeps it from ending in order; the second time it ends at once.
    keeper.sigterm();
    assert_eq!(keeper.ended(SOON).await.code(), Some(143));
    until_gone(server).await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(nap.await.expect("a task").is_err(), "the call was cut");
}

#[tokio::test]
async fn options_that_are_wrong_end_the_keeper_too() {
    let db = Database::sqlite();
    let tokens = db.folder().join("tokens");
    fs::write(&tokens, "no token file\n").expect("written");
    let mut command = archonctl(db.folder());
    command.args(["serve", "--keep-port", "--bind", "127.0.0.1:0", "--database-url", db.url()]);
    let output = command.arg("--token-file").arg(tokens).output().expect("started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(!log.contains("started again"), "{log}");
}

/// As the first process of a container it gets every process that nobody else waits for.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_first_process_of_a_container_leaves_no_zombies() {
    let db = Database::sqlite();
    let program = env!("CARGO_BIN_EXE_archonctl");
    let script =
        format!("(sleep 0.1 &); exec {program} serve --keep-port --bind 127.0.0.1:0 --database-url {}", db.url());
    let mut keeper =
        ServeProcess::launch_program(Path::new("unshare"), db.folder(), &["--pid", "--fork", "sh", "-c", &script])
            .await;
    let children = |of: u32| fs::read_to_string(format!("/proc/{of}/task/{of}/children")).expect("its children");
    let first: u32 = children(keeper.pid()).trim().parse().expect("the first process");
    let began = Instant::now();
    while children(first).split_whitespace().count() != 1 {
        assert!(began.elapsed() < SOON, "more than the server: {}", children(first));
        sleep(Duration::from_millis(20)).await;
    }
    signal(first, "TERM");
    assert_eq!(keeper.ended(SOON).await.code(), Some(0));
}

/// A client that keeps its connection learns of the stop from an answer, not from a connection that closes under its call.
#[tokio::test]
async fn a_kept_connection_is_answered_once_more() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &[]).await;
    let mut connection = Connection::open(server.address()).await.expect("a connection");
    for _ in 0..2 {
        connection.request("GET /healthz", &[], "").await.expect("sent");
        assert_eq!(connection.answer().await.expect("an answer").header("connection"), None);
    }
    server.sigterm();
    loop {
        connection.request("GET /healthz", &[], "").await.expect("sent");
        let answer = connection.answer().await.expect("an answer");
        assert_eq!(answer.status, 200);
        if answer.header("connection") == Some("close") {
            break;
        }
    }
    assert!(connection.is_closed().await.expect("its end"));
    assert_eq!(server.ended(SOON).await.code(), Some(0));
}
