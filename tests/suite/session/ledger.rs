//! The ledger of starts: which start a server is, and how the one before it ended.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{REVISION, SOON, call_body, get, health};
use crate::databases::{Database, on_every_database};
use crate::http::Mcp;
use crate::operator::document;
use crate::process::ServeProcess;

/// Cause, confidence and evidence of the end of the boot with that number.
fn end(db: &Database, number: i64) -> (String, String, String) {
    let sql = format!("SELECT end_cause, end_confidence, end_evidence FROM archon_mcp_boots WHERE number = {number}");
    let mut texts = db.rows(&sql).remove(0).into_iter().map(|text| text.unwrap_or_else(|| "NULL".to_owned()));
    let mut next = || texts.next().expect("a text");
    (next(), next(), next())
}

async fn started(server: &ServeProcess) -> String {
    server.wait_for_line("MCP Server Start #", SOON).await
}

on_every_database!(a_start_says_which_it_is_and_how_the_one_before_ended, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    let line = started(&server).await;
    assert!(line.contains("MCP Server Start #1 | Instance: ") && line.contains(" | previous: none"), "{line}");
    server.sigkill();
    let mut server = ServeProcess::start_at(server.address(), &db, &[]).await;
    let line = started(&server).await;
    assert!(line.contains("MCP Server Start #2 | Instance: ") && line.contains(" | previous: crash"), "{line}");
    let (cause, confidence, evidence) = end(&db, 1);
    assert_eq!((cause.as_str(), confidence.as_str()), ("crash", "likely"));
    assert!(evidence.contains(" is gone, and left no word"), "{evidence}");
    server.sigterm();
    server.ended(SOON).await;
    let server = ServeProcess::start_at(server.address(), &db, &[]).await;
    let line = started(&server).await;
    assert!(line.contains("MCP Server Start #3 | Instance: ") && line.contains(" | previous: clean"), "{line}");

    let health = health(&server).await;
    assert_eq!(health["recovery"]["previous_end"], "clean");
    assert_eq!(health["recovery"]["previous_end_confidence"], "certain");
    assert_eq!(health["boot"]["start_number"], 3);
    let shown = document(&db, &["boots"]);
    let of = |member: &str| {
        shown["boots"].as_array().expect("boots").iter().map(|it| it[member].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("start_number"), [1, 2, 3]);
    assert_eq!(of("end_cause"), [json!("crash"), json!("clean"), Value::Null]);
    assert!(of("instance").iter().all(|id| id.as_str().is_some_and(|id| id.len() == 8)), "{shown}");
    let metrics = get(server.address(), "/metrics").await.expect("metrics").text();
    for line in ["archonctl_start_number{} 3", "archonctl_previous_end{cause=\"clean\"} 1"] {
        assert!(metrics.contains(line) || metrics.contains(&line.replace("{}", "")), "{line} is not in\n{metrics}");
    }
});

on_every_database!(a_part_that_breaks_says_so_before_the_end, |db| async {
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    let body = call_body("test_break", &json!({"part": "writer"}));
    _ = session.post(&[], body).await;
    assert_eq!(server.ended(SOON).await.code(), Some(4));
    let (cause, confidence, evidence) = end(&db, 1);
    assert_eq!((cause.as_str(), confidence.as_str()), ("panic", "certain"));
    assert!(evidence.contains("no row can be written any more"), "{evidence}");
    let server = ServeProcess::start_at(server.address(), &db, &[]).await;
    assert!(started(&server).await.contains("previous: panic"));
});

/// A kernel that tells what those files say.
struct Kernel(PathBuf);

impl Kernel {
    fn new(folder: &Path) -> Self {
        let kernel = Self(folder.join("kernel"));
        kernel.say("proc/self/cgroup", "0::/archonctl\n");
        kernel.say("proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n");
        kernel.say("proc/self/status", "VmRSS:\t 20480 kB\n");
        kernel.say("proc/vmstat", "oom_kill 4\n");
        kernel.say("sys/fs/cgroup/archonctl/memory.max", "104857600\n");
        kernel.say("sys/fs/cgroup/archonctl/memory.current", "20971520\n");
        kernel.say("sys/fs/cgroup/archonctl/memory.events", "oom_kill 1\n");
        kernel
    }

    fn say(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn folder(&self) -> &str {
        self.0.to_str().expect("a path")
    }
}

on_every_database!(what_the_kernel_killed_for_memory_is_told, |db| async {
    let kernel = Kernel::new(db.folder());
    let arguments = ["--test-machine", kernel.folder(), "--instance-name", "one"];
    let mut server = ServeProcess::start(&db, &arguments).await;
    let told = health(&server).await;
    assert_eq!(told["memory"]["process_bytes"], 20 << 20);
    assert_eq!((&told["memory"]["limit_bytes"], &told["memory_is_short"]), (&json!(100 << 20), &json!(false)));
    let row = "SELECT COUNT(*) FROM archon_mcp_boots WHERE memory_bytes = 20971520 AND group_kills = 1";
    assert_eq!(db.value(row), "1");
    server.sigkill();
    kernel.say("sys/fs/cgroup/archonctl/memory.events", "oom_kill 2\n");
    let mut server = ServeProcess::start(&db, &arguments).await;
    assert!(started(&server).await.contains("previous: out_of_memory"));
    assert_eq!(end(&db, 1).1, "likely");
    // Killed by somebody else.
    server.sigkill();
    let server = ServeProcess::start(&db, &arguments).await;
    assert!(started(&server).await.contains("previous: crash"));
});

on_every_database!(a_machine_that_was_started_anew_is_told, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    server.sigkill();
    db.rows("UPDATE archon_mcp_boots SET kernel_boot = '00000000-0000-4000-8000-000000000000'");
    if db.is_postgres() {
        // Of another run of the kernel nobody can say whether its process is gone; silence says it.
        db.rows("UPDATE archon_mcp_boots SET heartbeat_at = heartbeat_at - INTERVAL '1 minute'");
    }
    let server = ServeProcess::start_at(server.address(), &db, &[]).await;
    assert!(started(&server).await.contains("previous: reboot"));
});

/// Each name, and each address, has a line of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_one_database_are_counted_apart() {
    let Some(db) = Database::postgres() else { return };
    let numbers = |name: &str| {
        let sql = format!(
            "SELECT string_agg(start_number::text, ' ' ORDER BY number) FROM archon_mcp_boots WHERE line = '{name}'"
        );
        db.value(&sql)
    };
    let mut blue = ServeProcess::start(&db, &["--instance-name", "blue"]).await;
    let _green = ServeProcess::start(&db, &["--instance-name", "green"]).await;
    blue.sigkill();
    let blue = ServeProcess::start(&db, &["--instance-name", "blue"]).await;
    assert!(started(&blue).await.contains("MCP Server Start #2 "));
    assert_eq!((numbers("name blue"), numbers("name green")), ("1 2".to_owned(), "1".to_owned()));
    // Without names, by where they were told to listen.
    let first = ServeProcess::start(&db, &[]).await;
    assert!(started(&first).await.contains("MCP Server Start #1 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_still_runs_or_is_frozen_is_told() {
    let Some(db) = Database::postgres() else { return };
    let name = ["--instance-name", "one"];
    let first = ServeProcess::start(&db, &name).await;
    let second = ServeProcess::start(&db, &name).await;
    assert!(started(&second).await.contains("previous: running"));
    assert_eq!(end(&db, 1).0, "NULL", "it has not ended");
    second.signal("STOP");
    let third = ServeProcess::start(&db, &name).await;
    let line = started(&third).await;
    assert!(line.contains("previous: frozen") && line.contains(" is stopped; "), "{line}");
    second.signal("CONT");
    assert_eq!(health(&first).await["success"], true);
}
