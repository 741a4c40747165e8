//! Somebody reads the SQLite file and does not end: its write-ahead log has to be kept for him, and nobody else is to
//! notice.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, SqliteConnection};
use tokio::time::sleep;

use super::{SOON, Traffic, probe, said, until};
use crate::databases::Database;
use crate::http::Mcp;
use crate::process::ServeProcess;

/// Past this size a server empties the log even if writers have to wait for it.
const LARGE: u64 = 64 << 20;
/// No answer waits longer for its row, neither while somebody reads nor when all that gathered meanwhile is moved.
const DEADLINE: &str = "1s";

fn log_size(db: &Database) -> u64 {
    let path = format!("{}-wal", db.url().trim_start_matches("sqlite://"));
    std::fs::metadata(path).map_or(0, |file| file.len())
}

async fn reader(db: &Database) -> SqliteConnection {
    db.url().parse::<SqliteConnectOptions>().expect("a URL").read_only(true).connect().await.expect("connect")
}

async fn begin(reader: &mut SqliteConnection) {
    reader.execute("BEGIN").await.expect("begun");
    reader.execute("SELECT COUNT(*) FROM archonctl_meta").await.expect("a look");
}

async fn grow(db: &Database, size: u64) {
    until("a large log", || async { log_size(db) > size }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_end_costs_disk_alone_and_only_until_it_does() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &["--test-tools", "--ack-deadline", DEADLINE, "--capture", "all"]).await;
    let mut reader = reader(&db).await;
    begin(&mut reader).await;
    let traffic = Traffic::start(&Mcp::new(server.url())).await;
    grow(&db, LARGE + (LARGE >> 1)).await;
    server.wait_for_line("a reader of the database does not end", SOON).await;
    let (_, metrics) = probe(&server, "/metrics").await;
    let told = metrics.lines().find_map(|line| line.strip_prefix("archonctl_write_ahead_log_bytes{} "));
    assert!(told.is_some_and(|bytes| bytes.parse::<u64>().is_ok_and(|bytes| bytes > LARGE)), "{told:?}");
    assert_eq!(probe(&server, "/readyz").await.0, 200);

    reader.execute("ROLLBACK").await.expect("over");
    server.wait_for_line("the write-ahead log is small again", SOON).await;
    until("a small log", || async { log_size(&db) < LARGE >> 2 }).await;
    let (_, told) = traffic.stop().await;
    assert_eq!(told.refused.load(Relaxed), 0);
    assert_eq!(told.answered.load(Relaxed), told.promised.load(Relaxed), "an answer left before its row was stored");
    assert_eq!(said(&server, "a reader of the database does not end"), 1);
    assert_eq!(said(&server, "the write-ahead log is small again"), 1);
}

/// There is no moment without a reader, and none of them is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_take_turns_do_not_keep_the_log() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &["--test-tools", "--ack-deadline", DEADLINE, "--capture", "all"]).await;
    let turns = (0..4).map(|n| {
        let url = db.url().to_owned();
        tokio::spawn(async move {
            let options = url.parse::<SqliteConnectOptions>().expect("a URL").read_only(true);
            let mut reader = options.connect().await.expect("connect");
            sleep(Duration::from_millis(3 * n)).await;
            loop {
                begin(&mut reader).await;
                sleep(Duration::from_millis(10)).await;
                reader.execute("ROLLBACK").await.expect("over");
            }
        })
    });
    let turns: Vec<_> = turns.collect();
    let traffic = Traffic::start(&Mcp::new(server.url())).await;
    grow(&db, LARGE).await;
    until("a small log", || async { log_size(&db) < LARGE >> 2 }).await;
    assert!(!turns.iter().any(tokio::task::JoinHandle::is_finished), "they still read");
    turns.iter().for_each(tokio::task::JoinHandle::abort);
    let (_, told) = traffic.stop().await;
    assert_eq!(told.answered.load(Relaxed), told.promised.load(Relaxed), "an answer left before its row was stored");
    assert_eq!(said(&server, "a reader of the database does not end"), 0);
}
