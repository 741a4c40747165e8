//! The database fails under a running server, in every way that a database fails, and comes back: no session is lost, no
//! acknowledged row is missing, the server says so meanwhile and heals by itself.

mod faults;
mod long_readers;
mod opening;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::databases::{Cluster, Database};
use crate::http::{Answer, Connection, Mcp, Session};
use crate::process::{ServeProcess, archonctl};
use faults::{Fault, Slow};

const REVISION: &str = "2025-11-25";
const CLIENTS: usize = 8;
/// No answer takes longer, whatever the database does.
const NO_HANG: Duration = Duration::from_secs(20);
/// A change is noticed by then, on a slow machine too.
const SOON: Duration = Duration::from_mins(1);

/// What the clients were told.
#[derive(Debug, Default)]
struct Told {
    /// Tools that ran and were answered.
    answered: AtomicU64,
    /// Of these, the ones whose row was promised.
    promised: AtomicU64,
    /// Calls that were refused before the tool ran.
    refused: AtomicU64,
}

/// Clients that call without a pause and go on after a refusal.
struct Traffic {
    sessions: Vec<Session>,
    told: Arc<Told>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    async fn start(mcp: &Mcp) -> Self {
        let sessions = join_all((0..CLIENTS).map(|_| mcp.initialize(REVISION))).await;
        let (told, stop) = (Arc::<Told>::default(), Arc::<AtomicBool>::default());
        let task = |session: &Session| {
            let (session, told, stop) = (session.clone(), told.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    call(&session, &told).await;
                }
            })
        };
        let tasks = sessions.iter().map(task).collect();
        Self { sessions, told, stop, tasks }
    }

    async fn stop(self) -> (Vec<Session>, Arc<Told>) {
        self.stop.store(true, Relaxed);
        for task in self.tasks {
            task.await.expect("a client");
        }
        (self.sessions, self.told)
    }
}

/// One call. Whatever is wrong with the database, there are two answers: the tool ran, or come back later.
async fn call(session: &Session, told: &Told) {
    let began = Instant::now();
    let answer = session.request("tools/call", json!({"name": "test_echo", "arguments": {"text": "x"}})).await;
    assert!(began.elapsed() < NO_HANG, "an answer took {:?}", began.elapsed());
    match answer.status {
        200 => {
            assert_eq!(answer.json()["result"]["isError"], false, "{}", answer.text());
            told.promised.fetch_add(u64::from(answer.header("x-archon-record").is_none()), Relaxed);
            told.answered.fetch_add(1, Relaxed);
        }
        503 => {
            assert_come_back(&answer);
            told.refused.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
        _ => panic!("{} {}", answer.status, answer.text()),
    }
}

fn assert_come_back(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{}", answer.text());
    assert!(answer.json()["error"]["data"]["hint"].is_string(), "{}", answer.text());
}

/// The status and body of a probe.
async fn probe(server: &ServeProcess, path: &str) -> (u16, String) {
    let mut connection = Connection::open(server.address()).await.expect("a connection");
    connection.request(&format!("GET {path}"), &[], "").await.expect("sent");
    let answer = connection.answer().await.expect("an answer");
    (answer.status, answer.text())
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + SOON;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn until_ready(server: &ServeProcess, status: u16) {
    until(&format!("/readyz {status}"), || async { probe(server, "/readyz").await.0 == status }).await;
}

async fn until_more(counter: &AtomicU64, what: &str) {
    let before = counter.load(Relaxed);
    until(what, || async { counter.load(Relaxed) > before }).await;
}

fn rows(db: &Database) -> u64 {
    let count = db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo'");
    count.parse().expect("a number")
}

fn said(server: &ServeProcess, text: &str) -> usize {
    server.lines().iter().filter(|line| line.contains(text)).count()
}

/// The life of a server through one fault.
async fn survives(db: Database, mut fault: impl Fault) {
    let arguments = ["--test-tools", "--store-grace", "2s", "--ack-deadline", "100ms"];
    let server = ServeProcess::start_in(&fault.environment(&db), &db, &arguments).await;
    let mcp = Mcp::new(server.url());
    let traffic = Traffic::start(&mcp).await;
    until_more(&traffic.told.promised, "answers with their rows").await;
    assert_eq!(probe(&server, "/readyz").await.0, 200);

    fault.begin(&db, &server).await;
    server.wait_for_line("the database takes no writes", SOON).await;
    until_ready(&server, 503).await;
    // The grace is over: no tool runs whose row may never be written.
    until_more(&traffic.told.refused, "calls refused before their tool ran").await;
    assert_come_back(&mcp.post(&[], initialize()).await.expect("an answer"));
    let (status, health) = probe(&server, "/health").await;
    let health: Value = serde_json::from_str(&health).expect("json");
    assert_eq!((status, &health["success"]), (503, &json!(false)), "{health}");
    let (_, metrics) = probe(&server, "/metrics").await;
    assert!(
        metrics.contains("archonctl_database_writable{} 0") || metrics.contains("archonctl_database_up{} 0"),
        "{metrics}"
    );
    assert_eq!(probe(&server, "/healthz").await.0, 200, "the process lives");

    fault.end(&db, &server).await;
    until_ready(&server, 200).await;
    until_more(&traffic.told.promised, "answers with their rows, after it").await;
    let (sessions, told) = traffic.stop().await;
    let queued = async || probe(&server, "/health").await.1.contains("\"queued_rows\":0");
    until("an empty queue", queued).await;
    assert_eq!(rows(&db), told.answered.load(Relaxed), "acknowledged is stored: {told:?}");
    for session in &sessions {
        assert_eq!(session.request("ping", json!({})).await.status, 200);
    }
    mcp.initialize(REVISION).await;
    let (_, metrics) = probe(&server, "/metrics").await;
    assert!(metrics.contains("archonctl_rows_dropped_total{} 0"), "{metrics}");
    let changes = ["the database takes no writes", "the database takes writes again"].map(|text| said(&server, text));
    assert_eq!(changes, [1, 1], "one line at each change");
    let lines = server.lines().len();
    assert!(lines < 60, "{lines} lines in the log");
}

fn initialize() -> String {
    let params =
        json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "late", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
}

macro_rules! on_postgres {
    ($name:ident, $fault:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Some(db) = Database::postgres() {
                survives(db, $fault).await;
            }
        }
    };
}

macro_rules! on_sqlite {
    ($name:ident, $fault:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            survives(Database::sqlite(), $fault).await;
        }
    };
}

on_postgres!(a_postgres_that_lets_nobody_in, faults::Closed);
on_postgres!(a_postgres_that_is_read_only_after_a_failover, faults::ReadOnly);
on_postgres!(a_postgres_with_a_full_disk, faults::NoSpace);
on_sqlite!(a_sqlite_file_that_is_removed, faults::Removed);
on_sqlite!(a_sqlite_file_on_a_full_disk, faults::FileLimit);
on_sqlite!(a_sqlite_file_on_a_file_system_that_becomes_read_only, faults::ReadOnlySystem::new());
on_sqlite!(a_sqlite_file_that_another_writer_locks, faults::Locked::default());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_crashes_and_starts_again() {
    // Where there is none for the others, there is none for this one.
    if Database::postgres().is_some() {
        let cluster = Cluster::start();
        survives(Database::on_postgres(cluster.url()), cluster).await;
    }
}

/// Slow is not broken: answers leave after the deadline with their rows still queued, and none is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_postgres_only_defers() {
    let Some(db) = Database::postgres() else { return };
    let slow = Slow::before(&db).await;
    let server = ServeProcess::start_on(slow.url(), &db, &["--test-tools", "--ack-deadline", "50ms"]).await;
    let traffic = Traffic::start(&Mcp::new(server.url())).await;
    until_more(&traffic.told.promised, "answers with their rows").await;
    slow.delay(Duration::from_millis(150));
    let before = traffic.told.promised.load(Relaxed);
    until_more(&traffic.told.answered, "answers").await;
    until("deferred answers", || async {
        traffic.told.answered.load(Relaxed) - traffic.told.promised.load(Relaxed) > 20
    })
    .await;
    assert_eq!(probe(&server, "/readyz").await.0, 200);
    slow.delay(Duration::ZERO);
    until("answers with their rows, after it", || async { traffic.told.promised.load(Relaxed) > before + 20 }).await;
    let (_, told) = traffic.stop().await;
    until("an empty queue", async || probe(&server, "/health").await.1.contains("\"queued_rows\":0")).await;
    assert_eq!(told.refused.load(Relaxed), 0);
    assert_eq!(rows(&db), told.answered.load(Relaxed));
    assert_eq!(said(&server, "the database takes no writes"), 0);
}

/// The log is a file on the same full disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let db = Database::sqlite();
    let log = db.folder().join("log");
    let mut child = archonctl(db.folder())
        .args(["serve", "--bind", "127.0.0.1:0", "--database-url", db.url()])
        .stderr(std::fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("a server");
    let listening = || std::fs::read_to_string(&log).unwrap_or_default().contains("listening on http://");
    until("a server that listens", async || listening()).await;
    let text = std::fs::read_to_string(&log).expect("a log");
    let (_, url) = text.split_once("listening on ").expect("the line");
    let mcp = Mcp::new(url.split('"').next().unwrap_or_default());
    faults::FileLimit::set(child.id(), "0");
    assert_come_back(&mcp.post(&[], initialize()).await.expect("an answer"));
    faults::FileLimit::set(child.id(), "unlimited");
    until("a session again", async || mcp.post(&[], initialize()).await.is_ok_and(|answer| answer.status == 200)).await;
    child.kill().expect("killed");
    child.wait().expect("ended");
}
