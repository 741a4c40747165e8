//! Somebody reads the SQLite file and does not end: its write-ahead log has to be kept for him, and nobody else is to
//! notice.

use std::sync::atomic::Ordering::Relaxed;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_end_costs_disk_alone_and_only_until_it_does() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &["--test-tools", "--ack-deadline", DEADLINE, "--capture", "all"]).await;
    let options: SqliteConnectOptions = db.url().parse().expect("a URL");
    let mut reader = options.read_only(true).connect().await.expect("connect");
    reader.execute("BEGIN").await.expect("begun");
    reader.execute("SELECT COUNT(*) FROM archonctl_meta").await.expect("a look");
    let traffic = Traffic::start(&Mcp::new(server.url())).await;
    until("a large log", || async { log_size(&db) > LARGE + (LARGE >> 1) }).await;
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
