//! Hostile scripts and servers end with a clear error within their time, and leave no process behind.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use archonctl::cli::exit;
use serde_json::json;

use super::{Bench, SOON, message, own};
use crate::databases::Database;

/// A server on a thread that does this with each connection after it has read a request.
pub(super) fn serve(answer: impl Fn(&mut std::net::TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = answer.clone();
            std::thread::spawn(move || {
                _ = std::io::Read::read(&mut stream, &mut [0; 8192]);
                answer(&mut stream);
            });
        }
    });
    url
}

/// Answers to handshakes as a server should, and otherwise as it is told.
pub(super) fn hello(stream: &mut std::net::TcpStream) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "odd", "version": "1"},
    }})
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: an-odd-one-0123456789\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    _ = stream.write_all((head + &body).as_bytes());
}

const PING: &str =
    "name = \"x\"\n[[step]]\ncall = { http = \"POST\", body = { jsonrpc = \"2.0\", id = 1, method = \"ping\" } }\n";

#[tokio::test]
async fn a_server_that_never_answers_costs_its_time_and_no_more() {
    let bench = Bench::new();
    let url = serve(|_| std::thread::sleep(SOON * 10));
    let begun = Instant::now();
    bench.file("it.toml", PING);
    let run = bench.run(&["it.toml", "--url", &url]).await;
    assert_eq!(run.code(), Some(i32::from(exit::UNREACHABLE)), "{run}");
    assert!(run.err().contains("no answer from http://127.0.0.1"), "{run}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_never_ends_its_answer_is_cut() {
    let bench = Bench::new();
    let begun = Instant::now();
    for (head, told) in [("content-length: 1073741824", "larger than"), ("transfer-encoding: chunked", "larger than")] {
        let chunked = head.starts_with("transfer");
        let turn = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let url = serve(move |stream| {
            // Handshake and what belongs to it go well, or there would be nothing to run.
            if turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 12 {
                return hello(stream);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n\r\n");
            let mut sent = stream.write_all(head.as_bytes());
            let block = "x".repeat(1 << 20);
            let chunk = if chunked { format!("100000\r\n{block}\r\n") } else { block };
            for _ in 0..1024 {
                sent = sent.and_then(|()| stream.write_all(chunk.as_bytes()));
            }
        });
        let twelve = (0..20)
            .map(|_| "[[step]]\ncall = { http = \"POST\", body = { jsonrpc = \"2.0\", id = 1, method = \"ping\" } }\n");
        let scenario = format!("name = \"x\"\n{}", twelve.collect::<String>());
        let finished = bench.play(&scenario, &["--url", &url]).await;
        assert_eq!(finished["verdict"], "failed", "{finished:#}");
        assert!(message(&finished).contains(told), "{finished:#}");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_text_cannot_make_itself_longer_for_ever() {
    let bench = Bench::new();
    let scenario = own("[[step]]\ninitialize = {}\n\
        [[step]]\ncall = { tool = \"test_echo\", arguments = { text = \"$${a}$${a}\" } }\nsave.a = \"/result/structuredContent/text\"\n\
        [[step]]\nrepeat.times = 100\n[[step.do]]\ncall = { tool = \"test_echo\", arguments = { text = \"${a}\" } }\n\
        expect.json.\"/result/structuredContent/text\" = \"$${a}$${a}\"\nsave.a = \"/result/structuredContent/text\"\n");
    assert_eq!(bench.play(&scenario, &[]).await["verdict"], "passed");
    let doubling = own("[[step]]\ninitialize = {}\n\
        [[step]]\ncall = { tool = \"test_echo\", arguments = { text = \"xxxxxxxxxxxxxxxx\" } }\nsave.a = \"/result/structuredContent/text\"\n\
        [[step]]\nrepeat.times = 100\n[[step.do]]\ncall = { tool = \"test_echo\", arguments = { text = \"${a}${a}\" } }\n\
        save.a = \"/result/structuredContent/text\"\n");
    let finished = bench.play(&doubling, &[]).await;
    assert_ne!(finished["verdict"], "passed", "{:.1000}", finished.to_string());
    assert!(finished.to_string().len() < 100_000, "a report is for people");
}

#[tokio::test]
async fn a_command_that_starts_nothing_of_use_ends_in_time() {
    let bench = Bench::new();
    let run = bench.run(&["--server-cmd", "true"]).await;
    assert_eq!(run.code(), Some(i32::from(exit::UNREACHABLE)), "{run}");
    assert!(run.err().contains("it ended"), "{run}");
}

/// Waits until so many servers run.
async fn until_running(bench: &Bench, count: usize) {
    let begun = Instant::now();
    while bench.processes().len() < count {
        assert!(begun.elapsed() < SOON, "{:?}", bench.processes());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_process_is_left_after_a_signal() {
    let sleeper = own(
        "[[step]]\ninitialize = {}\n[[step]]\ncall.tool = \"test_sleep\"\ncall.arguments.ms = 600000\ntimeout = \"1h\"\n",
    );
    for (signal, code) in [("INT", Some(exit::INTERRUPTED)), ("TERM", Some(exit::TERMINATED)), ("KILL", None)] {
        let bench = Bench::new();
        bench.file("it.toml", &format!("timeout = \"1h\"\n{sleeper}"));
        let mut child = bench.start(&["it.toml", "--repeat", "3", "--jobs", "3"]);
        // Itself and its three servers.
        until_running(&bench, 4).await;
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let ended = child.wait().expect("it ends");
        assert_eq!(ended.code(), code.map(i32::from), "{signal}");
        // After a SIGKILL it is the servers that tidy up: they end with their standard input.
        bench.until_nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_schema_is_left_when_it_is_killed() {
    let Some(db) = Database::postgres() else { return };
    let bench = Bench::new();
    bench.file(
        "it.toml",
        &own("[[step]]\ninitialize = {}\n[[step]]\ncall.tool = \"test_sleep\"\ncall.arguments.ms = 600000\n"),
    );
    let mut child = bench.start(&["it.toml", "--database-url", db.url()]);
    let schemas = || db.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'archonctl_selftest%'");
    until_running(&bench, 2).await;
    assert_eq!(schemas(), "1");
    child.kill().expect("killed");
    child.wait().expect("it ends");
    bench.until_nothing_is_left().await;
    assert_eq!(schemas(), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_server_and_its_children_end_with_the_run() {
    for (signal, code) in [("INT", Some(exit::INTERRUPTED)), ("KILL", None)] {
        let bench = Bench::new();
        bench.file("it.toml", "name = \"x\"\n[[step]]\ninitialize = {}\n");
        // It never listens, and reads nothing; its child is another process of the same group.
        let mut child = bench.start(&["it.toml", "--server-cmd", "sh -c 'sleep 600 & trap \"\" TERM; wait'"]);
        until_running(&bench, 3).await;
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        assert_eq!(child.wait().expect("it ends").code(), code.map(i32::from));
        bench.until_nothing_is_left().await;
    }
}
