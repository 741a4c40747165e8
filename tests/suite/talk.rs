//! `archonctl call` and a tool that has something to say before it answers: progress, log messages, questions; over HTTP
//! and on the pipes of a program. The server is the official SDK's.

use std::path::PathBuf;
use std::process::Command;

use archonctl::cli::exit;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::faulty::{Fault, Faulty};
use crate::home::{Home, run};
use crate::process::{ServeProcess, archonctl, signal};
use crate::terminal::{Shown, show_typed};

/// The server's program: see `tests/servers/talkative.rs`.
fn talkative() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_archonctl")).with_file_name("examples").join("talkative")
}

async fn over_http() -> (ServeProcess, Home) {
    let mut command = Command::new(talkative());
    command.arg("127.0.0.1:0");
    let server = ServeProcess::launch_command(command).await;
    let home = Home::at(server.url());
    (server, home)
}

/// `archonctl ARGS` with the server as a program.
fn by_program(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.args(["--stdio", &format!("'{}'", talkative().display())]);
    command
}

/// On a terminal, with that typed.
async fn typed(command: Command, text: &'static str) -> Shown {
    tokio::task::spawn_blocking(move || show_typed(command, 100, text)).await.expect("it ran")
}

const COUNTED: &str = "counted to 3, with a token\n";
const GREETING: &str = "warning: the server prints lines that are not JSON-RPC: hello from a server that greets people on its standard output\n";
const SAID: [&str; 4] =
    ["progress: 1/3 at 1", "progress: 2/3 at 2", "progress: 3/3 at 3", "WARNING counter: that was far"];

#[tokio::test]
async fn progress_and_log_messages_are_lines_on_standard_error() {
    let (_server, home) = over_http().await;
    let said = format!("{}\n", SAID.join("\n"));
    let heard = home.run(&["call", "count", "to=3"]).await.code(i32::from(exit::DONE)).stdout(COUNTED);
    let heard = String::from_utf8_lossy(&heard.get_output().stderr).into_owned();
    let mut lines: Vec<_> = heard.lines().collect();
    // Over HTTP this server sends log messages on the standing stream, beside the progress.
    lines.sort_by_key(|line| SAID.iter().position(|said| said == line));
    assert_eq!(lines, SAID);
    let by_program = async |args: &[&str]| run(by_program(&home, args)).await.code(i32::from(exit::DONE));
    by_program(&["call", "count", "to=3"]).await.stdout(COUNTED).stderr(format!("{GREETING}{said}"));
    for args in [&["call", "count", "to=3", "--quiet"][..], &["call", "count", "to=3", "-q"]] {
        home.run(args).await.code(i32::from(exit::DONE)).stdout(COUNTED).stderr(is_empty());
        by_program(args).await.stdout(COUNTED).stderr(GREETING);
    }
    let quiet = home.run(&["call", "count", "to=3", "--json"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    let result: Value = serde_json::from_slice(&quiet.get_output().stdout).expect("JSON");
    assert_eq!(result["content"][0]["text"], COUNTED.trim_end());
    let many = home.run(&["call", "count", "to=3", "--repeat", "3"]).await.code(i32::from(exit::DONE));
    many.stderr(contains("3 calls, 0 without an answer")).stderr(predicates::str::contains("progress").not());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_changes_in_place_where_somebody_looks() {
    let (_server, home) = over_http().await;
    let shown = typed(home.command(&["call", "count", "to=3"]), "").await;
    assert!(shown.status.success() && shown.text.contains("at 3"), "{}", shown.text);
    let lines: Vec<_> = shown.text.lines().collect();
    assert!(lines.last().is_some_and(|line| line.ends_with(COUNTED.trim_end())), "{lines:?}");
    assert!(lines.len() <= 3 && lines.iter().any(|line| line.contains(SAID[3])), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_filled_in_at_the_terminal() {
    let (_server, home) = over_http().await;
    for command in [home.command(&["call", "ask"]), by_program(&home, &["call", "ask"])] {
        let shown = typed(command, "0\n31\nGrace\ny\n").await;
        assert!(shown.status.success(), "{}", shown.text);
        for words in
            ["The server asks: Who are you?", "age (whole number, at least 1) [30]: ", "it has to be at least 1"]
        {
            assert!(shown.text.contains(words), "{words}: {}", shown.text);
        }
        assert!(shown.text.ends_with(&answered(&json!({"action": "accept", "content": {"age": 31, "name": "Grace"}}))));
    }
    for (text, action) in [("!decline\n", "decline"), ("\n\nc\n", "cancel")] {
        let shown = typed(home.command(&["call", "ask"]), text).await;
        assert!(shown.text.ends_with(&answered(&json!({"action": action}))), "{}", shown.text);
    }
}

/// An answer of the client, as the tool gives it back and `call` prints it.
fn answered(answer: &Value) -> String {
    format!("{answer:#}\n")
}

#[tokio::test]
async fn where_nobody_is_the_answer_is_no_or_the_defaults() {
    let (_server, home) = over_http().await;
    let defaults = json!({"action": "accept", "content": {"age": 30, "name": "Ada"}});
    let declined = json!({"action": "decline"});
    let note = "note: the server asks: Who are you?; ";
    for (args, answer, words) in [
        (&["call", "ask"][..], &declined, "declined, because nobody is at a terminal; --accept-defaults answers"),
        (&["call", "ask", "--accept-defaults"], &defaults, "answered with its defaults"),
    ] {
        let called = home.run(args).await.code(i32::from(exit::DONE)).stdout(answered(answer));
        called.stderr(contains(format!("{note}{words}")));
        let quiet = home.run(&[args, &["--quiet"]].concat()).await.code(i32::from(exit::DONE));
        quiet.stdout(answered(answer)).stderr(is_empty());
        run(by_program(&home, args)).await.code(i32::from(exit::DONE)).stdout(answered(answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_promised_is_what_can_be_done() {
    let (_server, home) = over_http().await;
    let capabilities = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["capabilities"].clone();
    for (args, promised) in
        [(&["call", "look"][..], json!({})), (&["call", "look", "--accept-defaults"], json!({"elicitation": {}}))]
    {
        let called = home.run(args).await.code(i32::from(exit::DONE));
        assert_eq!(capabilities(&String::from_utf8_lossy(&called.get_output().stdout)), promised, "{args:?}");
    }
    let shown = typed(home.command(&["call", "look"]), "").await;
    assert_eq!(capabilities(&shown.text), json!({"elicitation": {}}), "somebody is there");
    let probed = home.run(&["call", "probe"]).await.code(i32::from(exit::DONE));
    probed.stdout(contains("{}\n").and(contains("this client does not offer roots/list")));
}

#[tokio::test]
async fn a_configuration_file_names_programs() {
    let home = Home::empty();
    let entry = json!({"command": talkative(), "args": [], "env": {"TALKATIVE": "${HOME}"}});
    std::fs::write(home.path().join(".mcp.json"), json!({"mcpServers": {"talk": entry}}).to_string()).expect("written");
    let folder = home.path().canonicalize().expect("there");
    std::fs::create_dir_all(folder.join("deep/er")).expect("made");
    let mut command = home.command(&["call", "look", "--server", "talk"]);
    command.current_dir(folder.join("deep/er"));
    let looked = run(command).await.code(i32::from(exit::DONE));
    let found: Value = serde_json::from_slice(&looked.get_output().stdout).expect("JSON");
    assert_eq!(found["variable"], json!(home.path()));
    assert_eq!(found["folder"], json!(folder.join("deep/er")), "a file of the home is of no project");
    let tools = home.run(&["tools", "--config", ".mcp.json"]).await.code(i32::from(exit::DONE));
    tools.stdout(contains("count").and(contains("probe")));
    assert!(!home.session_file().exists(), "there is nothing to remember");
    for (args, words) in [
        (&["init", "--server", "talk"][..], "the server talk is a program on standard input and output"),
        (&["close", "--server", "talk"], "call and tools start it"),
        (&["call", "look", "--server", "talk", "--session", "x"], "a program keeps no session"),
        (&["call", "look", "--stdio", "'open"], "is not a command"),
        (&["call", "look", "--stdio", "x", "--server", "talk"], "cannot be used with"),
    ] {
        home.run(args).await.code(i32::from(exit::USAGE)).stderr(contains(words));
    }
}

#[tokio::test]
async fn a_program_that_ends_is_told_with_its_last_words() {
    let home = Home::empty();
    let left = run(by_program(&home, &["call", "leave"])).await.code(i32::from(exit::UNREACHABLE)).stdout(is_empty());
    left.stderr(contains("has ended (exit status: 7)\n    I have had enough\n"));
    let none = home.run(&["call", "x", "--stdio", "/no/such/program"]).await.code(i32::from(exit::UNREACHABLE));
    none.stderr(contains("error: the server /no/such/program cannot be started: "));
    let json = home.run(&["call", "x", "--json", "--stdio", "/no/such/program"]).await;
    let error: Value = serde_json::from_slice(&json.get_output().stderr).expect("one JSON line");
    assert_eq!(error["error"]["code"], "program");
}

#[tokio::test]
async fn a_signal_cancels_the_call_and_ends_the_program() {
    let home = Home::empty();
    let log = home.path().join("log");
    let mut command = by_program(&home, &["call", "wait", "-v"]);
    command.stderr(std::fs::File::create(&log).expect("a file")).stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("started");
    let logged = || std::fs::read_to_string(&log).unwrap_or_default();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !logged().contains("the server says: waiting") {
        assert!(std::time::Instant::now() < until, "{}", logged());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    signal(child.id(), "INT");
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
    assert_eq!(ended.code(), Some(i32::from(exit::INTERRUPTED)));
    let logged = logged();
    assert!(logged.contains("the server says: cancelled") && logged.contains("the server has ended: "), "{logged}");
}

#[tokio::test]
async fn what_comes_before_the_answer_leaves_the_answer_as_it_was() {
    let server = Faulty::start().await;
    server.script("tools/call", [Fault::Stream]);
    let home = Home::with(&server);
    home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stdout("{}\n").stderr(is_empty());
    assert_eq!(server.seen("a reply").len(), 1);
    let mut command = archonctl(home.path());
    command.args(["call", "write", "--help"]);
    run(command).await.code(i32::from(exit::DONE)).stdout(contains("--accept-defaults").and(contains("--stdio")));
}
