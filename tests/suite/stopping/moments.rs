//! Told to stop, or killed, at random moments: the exit code is right, every acknowledged row is there, and the next start
//! works. `ARCHONCTL_TEST_ROUNDS` says how often.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::process::{archonctl, signal};

fn rounds() -> u32 {
    std::env::var("ARCHONCTL_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

/// Starts a server and does not wait for it.
fn launch(db: &Database) -> Child {
    let mut command = archonctl(db.folder());
    command.args(["serve", "--bind", "127.0.0.1:0", "--database-url", db.url(), "--test-tools"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
}

/// Waits until it catches SIGTERM, as the system sees it.
async fn catches(pid: u32) {
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        if mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> 14 & 1 == 1) {
            return;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

async fn ended(mut child: Child) -> Option<i32> {
    let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread");
    status.expect("ended").code()
}

on_every_database!(told_to_stop_at_any_moment_it_stops_in_order, |db| async {
    let promised = Arc::new(AtomicU64::new(0));
    for round in 0..rounds() {
        // While it starts: from the first moment at which it can be told.
        let child = launch(&db);
        catches(child.id()).await;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..150_000))).await;
        signal(child.id(), "TERM");
        assert_eq!(ended(child).await, Some(0), "round {round}: while it starts");
        // While it serves.
        let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
        let session = Mcp::new(server.url()).initialize(REVISION).await;
        let counting = promised.clone();
        let calls = tokio::spawn(async move {
            let body = json!({"name": "test_echo", "arguments": {"text": "x"}});
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": body}).to_string();
            while let Ok(answer) = session.post(&[], body.clone()).await {
                let is_promised = answer.status == 200 && answer.header("x-archon-record").is_none();
                counting.fetch_add(u64::from(is_promised), Relaxed);
            }
        });
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..50_000))).await;
        server.sigterm();
        assert_eq!(server.ended(SOON).await.code(), Some(0), "round {round}: while it serves");
        calls.await.expect("a task");
    }
    assert!(promised.load(Relaxed) > 0, "nothing was called");
    assert!(rows(&db) >= promised.load(Relaxed), "{} rows of {promised:?}", rows(&db));
    let open = "SELECT COUNT(*) FROM archon_mcp_boots WHERE COALESCE(end_cause, 'none') <> 'clean'";
    assert_eq!(db.value(open), "0", "a boot without a clean end");
});

#[tokio::test]
async fn killed_in_its_first_start_the_next_one_works() {
    let mut hot = 0;
    for round in 0..rounds() {
        let db = Database::sqlite();
        let mut child = launch(&db);
        let journal = db.folder().join("archon.db-journal");
        let began = Instant::now();
        while !journal.exists() && began.elapsed() < Duration::from_millis(500) {
            std::thread::yield_now();
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..12_000))).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        hot += u32::from(journal.metadata().is_ok_and(|journal| journal.len() >= 512));
        let server = ServeProcess::start(&db, &["--test-tools"]).await;
        let session = Mcp::new(server.url()).initialize(REVISION).await;
        assert!(call(&session).await, "round {round}");
    }
    println!("{hot} journals were left in {} rounds", rounds());
}

/// The same without chance: SQLite's journal of a write that was cut short.
#[tokio::test]
async fn a_write_that_was_cut_short_is_undone_by_whoever_may_write() {
    let db = Database::sqlite();
    let path = db.folder().join("archon.db");
    let make = || {
        let away = tempfile::tempdir().expect("a folder");
        let source = away.path().join("archon.db");
        let url = format!("sqlite://{}", source.display());
        let made = archonctl(away.path()).args(["db", "migrate", "--database-url", &url]).output().expect("ran");
        assert!(made.status.success(), "{made:?}");
        let writer = rusqlite::Connection::open(&source).expect("a connection");
        writer
            .execute_batch(
                "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; CREATE TABLE t (b); INSERT INTO t VALUES (1)",
            )
            .expect("a table");
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                    INSERT INTO t SELECT randomblob(4000) FROM n";
        writer.execute_batch(&format!("PRAGMA cache_spill = 1; BEGIN; {rows}")).expect("half a write");
        // As they are at this moment.
        for end in ["", "-journal"] {
            let at = |path: &std::path::Path| std::path::PathBuf::from(format!("{}{end}", path.display()));
            std::fs::copy(at(&source), at(&path)).expect("copied");
        }
    };
    make();
    let list = archonctl(db.folder()).args(["list", "--database-url", db.url()]).output().expect("ran");
    let said = String::from_utf8_lossy(&list.stderr).into_owned();
    assert_eq!(list.status.code(), Some(2), "{said}");
    assert!(said.contains("in the middle of a write") && said.contains("archonctl db migrate"), "{said}");
    let migrated = archonctl(db.folder()).args(["db", "migrate", "--database-url", db.url()]).output().expect("ran");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    assert_eq!(db.value("SELECT COUNT(*) FROM t"), "1", "the half is undone");
    for end in ["-journal", "-wal", "-shm", ""] {
        _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    make();
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    assert!(call(&Mcp::new(server.url()).initialize(REVISION).await).await);
}
