//! `archonctl call --repeat`: what is counted, shown and timed.

use archonctl::cli::exit;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::call::{call, exited};
use crate::faulty::{Fault, Faulty};
use crate::home::Home;
use crate::terminal::show;

#[tokio::test]
async fn repeated_calls_are_counted_and_timed() {
    let server = Faulty::start().await;
    let assert = exited(call(&server, &["write", "n=1", "--repeat", "20", "--concurrency", "4"]).await, exit::DONE);
    let text = String::from_utf8(assert.stdout(is_empty()).get_output().stderr.clone()).expect("text");
    assert!(text.starts_with("20 calls, 0 without an answer, 0 with an error of the tool; 4 at once, "), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with("min ") && lines[1].contains("  p99 "), "{text}");
    assert_eq!((server.ran(), server.seen("tools/list").len(), server.open_sessions()), (20, 2, 0));

    let failed = json!({"content": [], "isError": true});
    let faults = [Fault::Result(failed), Fault::CutBefore];
    server.script("tools/call", faults.clone());
    let args = ["call", "write", "--repeat", "5", "--json"];
    let home = Home::with(&server);
    let figures = home.json(&args, exit::UNREACHABLE).await;
    let counts = ["version", "calls", "failed", "tool_errors", "concurrency"].map(|name| figures[name].clone());
    assert_eq!(counts, [1, 5, 1, 1, 1].map(Value::from), "{figures}");
    let latency = |name: &str| figures["latency_ms"][name].as_f64().expect("a number");
    assert!(latency("min") > 0.0 && latency("min") <= latency("p50") && latency("p50") <= latency("max"));
    assert_eq!(server.ran(), 25, "none is repeated that was not asked for");

    server.script("tools/call", faults[..1].to_vec());
    let told = exited(home.run(&["call", "write", "--repeat", "3"]).await, exit::FAILED);
    told.stderr(contains("error: 1 of 3 calls went wrong; the first: the tool failed"));
    server.script("tools/call", faults[..1].to_vec());
    exited(home.run(&["call", "write", "--repeat", "3", "--ignore-tool-error"]).await, exit::DONE);
}

#[tokio::test]
async fn repeated_calls_show_their_progress_to_people_alone_and_can_be_stopped() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    let command = home.command(&["call", "write", "--repeat", "30"]);
    let shown = tokio::task::spawn_blocking(move || show(command, 80)).await.expect("it ran");
    assert!(shown.status.success() && shown.text.contains("/30 "), "{}", shown.text);

    server.script("tools/call", [Fault::Silence]);
    let mut child = home.start(&["call", "write", "--repeat", "30"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while server.ran() < 31 {
        assert!(std::time::Instant::now() < until, "the call arrives");
        tokio::task::yield_now().await;
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
    assert_eq!((ended.code(), server.open_sessions()), (Some(i32::from(exit::INTERRUPTED)), 0));
}
