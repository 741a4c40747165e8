//! Targets that are not ours to start: a running server, and one that a command starts.

use archonctl::cli::exit;
use serde_json::Value;

use super::{Bench, Run};
use crate::databases::{Database, on_every_database};
use crate::faulty::{Faulty, Refusal};
use crate::http::Mcp;
use crate::process::{ServeProcess, signal};

/// Verdicts by id.
fn verdicts(run: &Run) -> std::collections::BTreeMap<String, String> {
    let finished = run.events().into_iter().filter(|event| event["event"] == "finished");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    finished.map(|event| (text(&event["id"]), text(&event["verdict"]))).collect()
}

on_every_database!(a_running_server_is_tested_without_harm, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let mine = Mcp::new(server.url()).initialize_as("somebody", "2025-11-25").await;
    mine.call("heartbeat", serde_json::json!({})).await;
    let bench = Bench::new();
    let run = bench.run(&["--url", server.url(), "--database-url", db.url(), "--json"]).await;
    assert_eq!(run.code(), Some(i32::from(exit::DONE)), "{run}");
    let verdicts = verdicts(&run);
    for passed in
        ["close-then-404", "errors-tell-the-way-out", "lifecycle-2024-11-05", "database-integrity", "foreign-host"]
    {
        assert_eq!(verdicts[passed], "passed", "{run}");
    }
    for other in ["survives-sigkill", "recovery-after-sigkill", "cleanup-runs", "end-by-operator"] {
        assert_eq!(verdicts[other], "not_applicable", "{run}");
    }
    // What was there is there, and what was opened is closed.
    mine.call("heartbeat", serde_json::json!({})).await;
    let left =
        "SELECT count(*) FROM archon_mcp_protocol_sessions WHERE status = 'active' AND client_name <> 'somebody'";
    assert_eq!(db.value(left), "0");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_kind_is_told_the_truth_about() {
    let server = Faulty::start().await;
    let bench = Bench::new();
    let args = ["--url", server.url.as_str(), "--json", "close-then-404", "unknown-id-is-404", "survives"];
    let run = bench.run(&args).await;
    let found = verdicts(&run);
    assert_eq!(found["close-then-404"], "passed", "{run}");
    assert_eq!(found["survives-sigkill"], "not_applicable", "{run}");
    assert!(run.out().contains("as with --server-cmd"), "{run}");
    server.forget(Refusal::Original);
    let run = bench.run(&args).await;
    assert_eq!(verdicts(&run)["close-then-404"], "failed", "{run}");
    assert!(run.out().contains("expected 404, got 400"), "{run}");
    assert_eq!(run.code(), Some(i32::from(exit::NO)));

    let odd = super::hostile::serve(super::hostile::hello);
    let run = bench.run(&["errors-tell", "--url", &odd, "--json"]).await;
    assert_eq!(verdicts(&run)["errors-tell-the-way-out"], "not_applicable", "{run}");
    assert!(run.out().contains("it is about archonctl; this server is odd 1"), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_a_command_starts_is_killed_and_started_again() {
    let bench = Bench::new();
    let program = env!("CARGO_BIN_EXE_archonctl");
    let on = |database: &str| format!("{program} serve --bind 127.0.0.1:{{port}} --database-url {database}");
    let kept = on(&format!("sqlite://{}/{{port}}.db", bench.path().display()));
    let run = bench.run(&["survives", "close-then-404", "--server-cmd", &kept, "--json"]).await;
    assert_eq!(run.code(), Some(i32::from(exit::DONE)), "{run}");
    assert_eq!(verdicts(&run).values().filter(|verdict| *verdict == "passed").count(), 3, "{run}");
    let forgotten = on("sqlite::memory:");
    let run = bench.run(&["survives", "close-then-404", "--server-cmd", &forgotten, "--json"]).await;
    assert_eq!(run.code(), Some(i32::from(exit::NO)), "{run}");
    let found = verdicts(&run);
    assert_eq!(
        (&*found["survives-sigkill"], &*found["survives-sigterm"], &*found["close-then-404"]),
        ("failed", "failed", "passed")
    );
    bench.until_nothing_is_left().await;
}

/// What the command starts lives on when the command is killed: a container, a daemon, a supervisor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_survives_its_own_end_never_passes() {
    let program = env!("CARGO_BIN_EXE_archonctl");
    let server = format!("{program} serve --bind 127.0.0.1:{{port}} --database-url sqlite::memory:");
    let supervisor = format!("while true; do {server}; done");
    for command in [
        format!("sh -c 'setsid {server} & wait'"),
        format!("sh -c 'setsid {server} & sleep 600'"),
        format!("sh -c 'setsid sh -c \"{supervisor}\" & wait'"),
    ] {
        let bench = Bench::new();
        let run = bench.run(&["survives", "--server-cmd", &command, "--json"]).await;
        // Nobody but us knows these.
        while let Some(pid) = bench.processes().first() {
            signal(*pid, "KILL");
        }
        assert_eq!(run.code(), Some(i32::from(exit::NO)), "{command}: {run}");
        assert!(verdicts(&run).values().all(|verdict| verdict != "passed"), "{command}: {run}");
        assert!(run.out().contains("the server survived SIG"), "{command}: {run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_on_the_port_is_not_taken_for_the_server() {
    let (bench, db) = (Bench::new(), Database::sqlite());
    let other = ServeProcess::start(&db, &[]).await;
    let command =
        format!("{} serve --bind {} --database-url sqlite::memory:", env!("CARGO_BIN_EXE_archonctl"), other.address());
    let run = bench.run(&["survives", "--server-cmd", &command, "--url", other.url()]).await;
    assert_eq!(run.code(), Some(i32::from(exit::UNREACHABLE)), "{run}");
    assert!(run.err().contains("something listens on") && run.err().contains(other.address()), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_sent_and_not_shown() {
    let db = Database::sqlite();
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let file = db.folder().join("tokens");
    std::fs::write(&file, format!("{hash} ada\n")).expect("written");
    let server = ServeProcess::start(&db, &["--token-file", file.to_str().expect("text")]).await;
    let bench = Bench::new();
    let run = bench.run(&["close-then-404", "--url", server.url()]).await;
    assert_eq!(run.code(), Some(i32::from(exit::AUTH)), "{run}");
    bench.file("token", "secret\n");
    bench.file(
        "it.toml",
        "name = \"x\"\n[[step]]\ninitialize = {}\n[[step]]\ncall.method = \"ping\"\nexpect.status = 201\n",
    );
    let run = bench.run(&["close-then-404", "it.toml", "--url", server.url(), "--token-file", "token"]).await;
    assert!(run.out().contains("1 passed, 1 failed") && run.out().contains("authorization: [masked]"), "{run}");
    assert!(!run.out().contains("secret"), "{run}");
}
