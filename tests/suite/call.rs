//! `archonctl call` as a program: what it prints where, and its exit codes.

use std::process::Stdio;
use std::time::Duration;

use archonctl::cli::exit;
use assert_cmd::assert::Assert;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::faulty::{Fault, Faulty};
use crate::home::{Home, nobody, run_on};

/// Runs `archonctl call ARGS` against a server, in a home of its own.
pub(crate) async fn call(server: &Faulty, args: &[&str]) -> Assert {
    Home::with(server).run(&[&["call"], args].concat()).await
}

pub(crate) fn exited(assert: Assert, code: u8) -> Assert {
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
async fn an_unknown_tool_is_the_servers_to_explain_and_ours_to_guess() {
    let server = Faulty::start().await;
    let refusals = [
        Fault::Raw(
            200,
            "application/json",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"unknown tool: rite"}}"#,
        ),
        Fault::Result(json!({"content": [{"type": "text", "text": "unknown tool: rite"}], "isError": true})),
    ];
    for (refusal, message) in refusals.into_iter().zip(["unknown tool: rite (-32602)", "unknown tool: rite"]) {
        for args in [&["rite"][..], &["rite", "n=5"]] {
            server.script("tools/call", [refusal.clone()]);
            let expected = format!("error: {message}\nhint: did you mean write(n?: integer, text?: string)?\n");
            exited(call(&server, args).await, exit::FAILED).stdout(is_empty()).stderr(expected);
        }
    }
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

#[tokio::test]
async fn without_a_server_it_says_how_to_start_one() {
    let (_port, url) = nobody();
    let refused = Home::empty().run(&["call", "health_check", "--url", &url, "--retries", "0"]).await;
    exited(refused, exit::UNREACHABLE)
        .stdout(is_empty())
        .stderr(contains(format!("error: no server answers at {url}")))
        .stderr(contains("hint: start one with: archonctl serve"));
    let refused = Home::empty().run(&["call", "health_check", "--url", &url, "--retries", "0", "--json"]).await;
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
    let home = Home::with(&server);
    let mut command = home.command(&["call", "write", "--args", "-"]);
    command.env("ARCHONCTL_TOKEN", "secret");
    exited(run_on(command, "{\"text\": \"in\"}\n").await, exit::DONE).stdout("{\n  \"text\": \"in\"\n}\n");
    assert_eq!(server.seen("tools/call")[0].headers["authorization"], "Bearer secret");
}

#[tokio::test]
async fn a_signal_closes_the_session_and_has_its_exit_code() {
    for (signal, code) in [("-INT", exit::INTERRUPTED), ("-TERM", exit::TERMINATED)] {
        let server = Faulty::start().await;
        server.script("tools/call", [Fault::Silence]);
        let home = Home::with(&server);
        let mut child = home.start(&["call", "write"]);
        server.called().await;
        let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()));
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
        assert_eq!(ended.code(), Some(i32::from(code)), "{signal}");
        assert_eq!(server.open_sessions(), 0, "{signal}");
        let (call, cancelled) = (server.seen("tools/call"), server.seen("notifications/cancelled"));
        assert_eq!(cancelled.len(), 1, "{signal}: the server is told that nobody waits");
        assert_eq!(cancelled[0].message["params"]["requestId"], call[0].message["id"]);
    }
}

#[tokio::test]
async fn a_signal_during_the_handshake_has_its_line_and_its_exit_code() {
    for arguments in [&["call", "write"][..], &["tools"], &["init"], &["ready", "--wait", "20s"]] {
        // A server that takes connections and says nothing.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let home = Home::at(&format!("http://{}/mcp", listener.local_addr().expect("an address")));
        let child = home.command(arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
        let _connection = timeout(Duration::from_secs(10), listener.accept()).await.expect("it asks");
        let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()));
        let ended = tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("joined").expect("ended");
        assert_eq!(ended.status.code(), Some(i32::from(exit::INTERRUPTED)), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "error: interrupted\n", "{arguments:?}");
    }
}

#[tokio::test]
async fn an_error_of_the_tool_may_be_an_answer_like_any_other() {
    let server = Faulty::start().await;
    let result = json!({"content": [{"type": "text", "text": "disk full"}], "isError": true});
    server.script("tools/call", [Fault::Result(result.clone()), Fault::Result(result)]);
    let assert = exited(call(&server, &["write", "--ignore-tool-error"]).await, exit::DONE);
    assert.stdout("disk full\n").stderr(is_empty());
    let assert = exited(call(&server, &["write", "--ignore-tool-error", "--json"]).await, exit::DONE);
    assert.stdout(contains(r#""isError":true"#)).stderr(is_empty());
}

#[tokio::test]
async fn arguments_that_cannot_be_right_are_not_sent() {
    let server = Faulty::start().await;
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["text"]});
    let tools = json!({"tools": [{"name": "write", "inputSchema": schema}]});
    let told = async |args: &[&str]| {
        server.script("tools/list", [Fault::Result(tools.clone())]);
        let assert = exited(call(&server, args).await, exit::USAGE).stdout(is_empty());
        String::from_utf8(assert.get_output().stderr.clone()).expect("text")
    };
    let expected = "error: write has no argument txet\nhint: did you mean text? write(text: string, n?: integer)\n";
    assert_eq!(told(&["write", "txet=a"]).await, expected);
    let text = told(&["write", "n=1"]).await;
    assert_eq!(text, "error: write needs more arguments: text is missing\nhint: write(text: string, n?: integer)\n");
    assert_eq!(server.ran(), 0);

    // What goes to the server as it stands is the server's to judge; our guess comes after.
    let refusal = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"invalid params"}}"#;
    for (args, guess) in [
        (&["write", "txet:=1"][..], "write has no argument txet; did you mean text? write(text"),
        (&["write"], "write needs more arguments: text is missing; write(text"),
        (&["write", "--args", r#"{"text": 1}"#], "the argument text takes string, not 1; write(text"),
    ] {
        server.script("tools/call", [Fault::Raw(200, "application/json", refusal)]);
        server.script("tools/list", [Fault::Result(tools.clone())]);
        let assert = exited(call(&server, args).await, exit::FAILED);
        assert.stderr(contains("error: invalid params (-32602)\n")).stderr(contains(format!("hint: {guess}")));
    }
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_repeated_only_where_twice_is_as_good_as_once() {
    for (args, ran, code) in [
        (&["write", "--args", "{}"][..], 1, exit::UNREACHABLE),
        (&["write", "n=1"], 1, exit::UNREACHABLE),
        (&["write", "--args", "{}", "--retries", "9"], 1, exit::UNREACHABLE),
        (&["write", "--args", "{}", "--idempotent"], 2, exit::DONE),
        (&["read", "n=1"], 2, exit::DONE),
        (&["read", "n=1", "--retries", "0"], 1, exit::UNREACHABLE),
    ] {
        for fault in [Fault::CutBefore, Fault::CutMidway, Fault::StreamEnds] {
            let server = Faulty::start().await;
            server.script("tools/call", [fault.clone()]);
            exited(call(&server, args).await, code);
            assert_eq!(server.ran(), ran, "{args:?}: {fault:?}");
            assert_eq!(server.open_sessions(), 0, "{args:?}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_answer_ends_in_the_right_code() {
    for (fault, code, words) in [
        (Fault::Stream, exit::DONE, ""),
        (Fault::Late(std::time::Duration::from_millis(300)), exit::DONE, ""),
        (Fault::Busy(503), exit::DONE, ""),
        (Fault::Raw(200, "text/html", "<html>"), exit::FAILED, "does not speak MCP"),
        (Fault::Raw(500, "text/plain", "oh"), exit::FAILED, "answered 500: oh"),
        (Fault::Raw(401, "text/plain", "who?"), exit::AUTH, "--token-file"),
    ] {
        let server = Faulty::start().await;
        server.script("tools/call", [fault.clone()]);
        let assert = exited(call(&server, &["write"]).await, code).stderr(contains(words));
        let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
        assert_eq!(text, if code == exit::DONE { "{}\n" } else { "" }, "{fault:?}");
    }
    let server = Faulty::start().await;
    server.script("tools/call", [Fault::Busy(503)]);
    exited(call(&server, &["write", "--retries", "0"]).await, exit::FAILED).stderr(contains("answered 503"));
    assert_eq!(server.ran(), 0);
}

#[tokio::test]
async fn numbers_out_of_range_are_wrong_usage() {
    let server = Faulty::start().await;
    for args in [
        &["write", "--repeat", "0"][..],
        &["write", "--repeat", "1000001"],
        &["write", "--repeat", "5", "--concurrency", "0"],
        &["write", "--retries", "-1"],
    ] {
        exited(call(&server, args).await, exit::USAGE);
    }
    assert!(server.seen("initialize").is_empty());
}
