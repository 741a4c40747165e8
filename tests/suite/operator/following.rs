//! `-f` and `--watch`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::*;
use crate::databases::on_every_database;

const SOON: Duration = Duration::from_secs(20);

/// A running command, and the lines that it prints.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(db: &Database, args: &[&str]) -> Self {
        let mut command = archonctl(db.folder());
        command.args(args).env("DATABASE_URL", db.url()).stdout(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let out = child.stdout.take().expect("piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(SOON).expect("a line, soon")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.line()).expect("JSON")
    }

    /// Asks it to stop; returns its exit code and what it printed since the last line.
    fn stop(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(Process::new("kill").args([signal, &pid]).status().expect("kill runs").success());
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                break status;
            }
            assert!(begun.elapsed() < SOON, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status.code(), self.lines.iter().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_more(seq: i64) -> String {
    format!(
        "INSERT INTO archon_mcp_requests (session_id, protocol_session_id, method, tool_name, timestamp, duration_us, status, boot, seq)
         VALUES ('{LIVE}', '{LIVE_PROTOCOL}', 'tools/call', 'tool-{seq}', {}, 1, 'success', 1, {seq})",
        ago(0)
    )
}

on_every_database!(follows_requests_from_the_last_ones_on, |db| async {
    filled(&db);
    let running = Running::start(&db, &["requests", "-f", "-n", "1", "--client", "claude code", "--json"]);
    assert_eq!(running.json()["tool_name"], "find_projects", "the last one that is there");
    for seq in 100..105 {
        db.rows(&one_more(seq));
        assert_eq!(running.json()["tool_name"], format!("tool-{seq}"));
    }
    assert_eq!(running.stop("-INT"), (Some(i32::from(exit::INTERRUPTED)), Vec::new()), "each once");
});

on_every_database!(follows_in_a_table_with_one_header, |db| async {
    filled(&db);
    let running = Running::start(&db, &["events", "--follow", "-n", "1"]);
    assert!(running.line().starts_with("TIME"));
    assert!(running.line().contains("ended"));
    document(&db, &["expire", LIVE]);
    assert!(running.line().contains(LIVE_PROTOCOL), "its connection");
    let archon = running.line();
    assert!(archon.contains("operator") && archon.contains(LIVE), "{archon}");
    assert_eq!(running.stop("-TERM"), (Some(i32::from(exit::TERMINATED)), Vec::new()));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_number_that_is_committed_later_is_not_missed() {
    let Some(db) = Database::postgres() else { return };
    filled(&db);
    let mut slow = PgConnection::connect(db.url()).await.expect("connected");
    let running = Running::start(&db, &["requests", "-f", "-n", "1", "-o", "jsonl"]);
    running.json();
    let mut transaction = slow.begin().await.expect("a transaction");
    sqlx::query(AssertSqlSafe(one_more(200))).execute(&mut *transaction).await.expect("inserted");
    db.rows(&one_more(201));
    assert_eq!(running.json()["tool_name"], "tool-201", "with a higher number");
    transaction.commit().await.expect("committed");
    assert_eq!(running.json()["tool_name"], "tool-200", "with a lower one");
    db.rows(&one_more(202));
    assert_eq!(running.json()["tool_name"], "tool-202");
    assert_eq!(running.stop("-INT"), (Some(i32::from(exit::INTERRUPTED)), Vec::new()), "each once");
}

on_every_database!(watches_as_json_lines_off_a_terminal, |db| async {
    filled(&db);
    for args in [&["list", "--watch=100ms"][..], &["stats", "-w=100ms"], &["show", LIVE, "-w=100ms"]] {
        let running = Running::start(&db, args);
        assert_eq!(
            (&running.json()["version"], &running.json()["version"]),
            (&Value::from(1), &Value::from(1)),
            "{args:?}"
        );
        assert_eq!(running.stop("-INT").0, Some(i32::from(exit::INTERRUPTED)), "{args:?}");
    }
    let running = Running::start(&db, &["list", "--watch=100ms"]);
    assert_eq!(ids(&running.json()), [LIVE, WAITING]);
    document(&db, &["expire", LIVE]);
    let begun = Instant::now();
    while ids(&running.json()) != [WAITING] {
        assert!(begun.elapsed() < SOON, "it does not look again");
    }
});
