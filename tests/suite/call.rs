//! `archonctl call` as a program: what it prints where, and its exit codes.

use archonctl::cli::exit;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::faulty::{Fault, Faulty};

/// The program with an environment that says nothing about servers.
fn archonctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archonctl"));
    command.env_remove("ARCHONCTL_URL").env_remove("ARCHONCTL_TOKEN");
    command
}

/// Runs `archonctl call ARGS` against a server, without blocking the server's thread.
async fn call(server: &Faulty, args: &[&str]) -> Assert {
    let mut command = archonctl();
    command.env("ARCHONCTL_URL", &server.url).arg("call").args(args);
    tokio::task::spawn_blocking(move || command.assert()).await.expect("it ran")
}

fn exited(assert: Assert, code: u8) -> Assert {
    assert.code(i32::from(code))
}

#[tokio::test]
async fn prints_the_answer_and_closes_the_session() {
    let server = Faulty::start().await;
    let assert = call(&server, &["write", "n=5", "text=5", "list:=[1]"]).await;
    let expected = "{\n  \"list\": [\n    1\n  ],\n  \"n\": 5,\n  \"text\": \"5\"\n}\n";
    exited(assert, exit::DONE).stdout(expected).stderr(is_empty());
    assert_eq!((server.ran(), server.open_sessions()), (1, 0));
}

#[tokio::test]
async fn asks_for_the_schema_only_when_it_needs_one() {
    let server = Faulty::start().await;
    exited(call(&server, &["write", "--args", r#"{"n": 1.0}"#]).await, exit::DONE).stdout("{\n  \"n\": 1.0\n}\n");
    exited(call(&server, &["write", "n:=1"]).await, exit::DONE);
    assert!(server.seen("tools/list").is_empty());
}

#[tokio::test]
async fn json_prints_the_whole_result() {
    let server = Faulty::start().await;
    let args = ["write", "--json", "--client-name", "robot", "--client-version", "7"];
    let assert = exited(call(&server, &args).await, exit::DONE);
    let result: Value = serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    assert_eq!(result, json!({"content": [{"type": "text", "text": "{}"}], "_meta": {"kept": 1}}));
    assert_eq!(server.seen("initialize")[0].message["params"]["clientInfo"], json!({"name": "robot", "version": "7"}));
}

#[tokio::test]
async fn a_failed_tool_speaks_on_standard_error() {
    let server = Faulty::start().await;
    let result = json!({"content": [{"type": "text", "text": "disk full"}], "isError": true});
    server.script("tools/call", [Fault::Result(result.clone()), Fault::Result(result)]);
    exited(call(&server, &["write"]).await, exit::FAILED).stdout(is_empty()).stderr("error: disk full\n");
    let assert = exited(call(&server, &["write", "--json"]).await, exit::FAILED);
    let error: Value = serde_json::from_slice(&assert.get_output().stderr).expect("one JSON line");
    assert_eq!(error, json!({"error": {"code": "tool", "message": "disk full", "hint": null}}));
    assert.stdout(contains(r#""isError":true"#));
    assert_eq!(server.open_sessions(), 0, "closed after a failure, too");
}

#[tokio::test]
async fn an_unknown_tool_is_the_servers_to_explain() {
    let server = Faulty::start().await;
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"unknown tool: rite",
        "data":{"hint":"did you mean write?"}}}"#;
    server.script("tools/call", [Fault::Raw(200, "application/json", body)]);
    let assert = exited(call(&server, &["rite", "n=5"]).await, exit::FAILED);
    assert.stderr("error: unknown tool: rite (-32602)\nhint: did you mean write?\n");
}

#[tokio::test]
async fn exit_codes_tell_auth_timeout_and_session_apart() {
    let server = Faulty::start().await;
    server.script("initialize", [Fault::Raw(403, "text/plain", "not you")]);
    exited(call(&server, &["write"]).await, exit::AUTH).stderr(contains("not you"));
    server.script("tools/call", [Fault::Silence]);
    exited(call(&server, &["write", "--timeout", "2s"]).await, exit::UNREACHABLE).stderr(contains("within 2s"));
    let gone = Fault::Raw(404, "text/plain", "gone");
    server.script("tools/call", [gone.clone(), gone]);
    exited(call(&server, &["write"]).await, exit::NO_SESSION).stderr(contains("gone"));
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    // Bound and not listening: the port is ours, and connections to it are refused.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}/mcp", socket.local_addr().expect("an address"));
    let refused = archonctl().args(["call", "health_check", "--url", &url]).assert();
    exited(refused, exit::UNREACHABLE)
        .stdout(is_empty())
        .stderr(contains(format!("error: no server answers at {url}")))
        .stderr(contains("hint: start one with: archonctl serve"));
    let refused = archonctl().args(["call", "health_check", "--url", &url, "--json"]).assert();
    exited(refused, exit::UNREACHABLE).stderr(contains(r#"{"error":{"code":"connection""#));
}

#[tokio::test]
async fn wrong_usage_is_2_and_nothing_is_sent() {
    let server = Faulty::start().await;
    for args in [
        &["write", "novalue"] as &[&str],
        &["write", "a:={"],
        &["write", "a=1", "a=2"],
        &["write", "--args", "[1]"],
        &["write", "--args", "@/no/such/file"],
        &["write", "a=1", "--args", "{}"],
        &["write", "--timeout", "soon"],
        &["write", "--token-file", "/no/such/file"],
        &["write", "--url", "nonsense"],
        &["write", "--no-such-flag"],
        &[],
    ] {
        exited(call(&server, args).await, exit::USAGE).stdout(is_empty()).stderr(contains("error: "));
    }
    assert!(server.seen("initialize").is_empty());
    exited(call(&server, &["write", "n=five"]).await, exit::USAGE).stderr(contains("n takes integer, not \"five\""));
    assert_eq!((server.ran(), server.open_sessions()), (0, 0));
}

#[tokio::test]
async fn arguments_come_from_standard_input_and_the_token_from_the_environment() {
    let server = Faulty::start().await;
    let mut command = archonctl();
    command.args(["call", "write", "--args", "-", "--url", &server.url]).env("ARCHONCTL_TOKEN", "secret");
    command.write_stdin("{\"text\": \"in\"}\n");
    let assert = tokio::task::spawn_blocking(move || command.assert()).await.expect("it ran");
    exited(assert, exit::DONE).stdout("{\n  \"text\": \"in\"\n}\n");
    assert_eq!(server.seen("tools/call")[0].headers["authorization"], "Bearer secret");
}

#[tokio::test]
async fn a_signal_closes_the_session_and_has_its_exit_code() {
    for (signal, code) in [("-INT", exit::INTERRUPTED), ("-TERM", exit::TERMINATED)] {
        let server = Faulty::start().await;
        server.script("tools/call", [Fault::Silence]);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_archonctl"))
            .args(["call", "write", "--url", &server.url])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("started");
        server.called().await;
        let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()));
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
        assert_eq!(ended.code(), Some(i32::from(code)), "{signal}");
        assert_eq!(server.open_sessions(), 0, "{signal}");
    }
}
