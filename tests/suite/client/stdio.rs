//! Servers that are programs: small shell scripts, each with its own way of going wrong.

use std::path::Path;
use std::time::{Duration, Instant};

use archonctl::client::{Client, ClientError, ClientOptions, Closed, Program, ProtocolError};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server that writes down what it is told, and does what the script says at a call and at the end of its input.
const SERVER: &str = r#"
say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
while read -r line; do
  printf '%s\n' "$line" >>seen
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\),.*/\1/p')
  case $line in
    *'"method":"initialize"'*)
      say "$id" '{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"method":"tools/list"'*) say "$id" '{"tools":[{"name":"echo","inputSchema":{}}]}' ;;
    *'"method":"tools/call"'*) eval "$CALL" ;;
  esac
done
eval "$END"
"#;
const ANSWER: &str = r#"say "$id" '{"content":[{"type":"text","text":"done"}]}'"#;

fn program(folder: &Path, call: &str, end: &str) -> Program {
    Program {
        command: "sh".to_owned(),
        arguments: vec!["-c".to_owned(), SERVER.to_owned()],
        variables: vec![("CALL".to_owned(), call.to_owned()), ("END".to_owned(), end.to_owned())],
        folder: Some(folder.to_owned()),
    }
}

async fn connected(call: &str, end: &str) -> (TempDir, Client) {
    let folder = TempDir::new().expect("a folder");
    let mut options = ClientOptions::program(program(folder.path(), call, end));
    options.timeout = Duration::from_secs(10);
    let client = Client::connect(options).await.expect("connected");
    (folder, client)
}

/// What the server was told, by method.
fn seen(folder: &TempDir, method: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path().join("seen")).expect("it was told something");
    let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message a line"));
    messages
        .filter(|message| message["method"] == method || message.get("method").is_none() && method == "a reply")
        .collect()
}

#[tokio::test]
async fn a_program_is_started_spoken_to_and_ended() {
    let (folder, client) = connected(ANSWER, "echo ended >end").await;
    assert_eq!(client.session().server.name, "sh");
    assert_eq!(client.list_tools().await.expect("tools").len(), 1);
    let calls = (0..8).map(|n| client.call_tool("echo", json!({"n": n, "text": "two\nlines"})));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.expect("an answer").text(), "done");
    }
    assert_eq!(client.close().await.expect("ended"), Closed::Ended);
    assert!(folder.path().join("end").exists(), "it was let go, and not killed");
    assert_eq!(seen(&folder, "notifications/initialized").len(), 1);
    assert_eq!(seen(&folder, "tools/call").len(), 8);
}

#[tokio::test]
async fn the_answer_is_found_among_all_that_is_printed() {
    let call = format!(
        r#"echo 'listening, and glad to see you'; echo; echo '{{"id":99,"result":{{}}}}'
        echo '{{"jsonrpc":"2.0","method":"notifications/message","params":{{}}}}'
        echo '{{"jsonrpc":"2.0","id":"p","method":"ping"}}'; read -r reply; printf '%s\n' "$reply" >>seen
        {ANSWER}"#
    );
    let (folder, client) = connected(&call, "").await;
    assert_eq!(client.call_tool("echo", json!({})).await.expect("an answer").text(), "done");
    assert_eq!(seen(&folder, "a reply"), [json!({"jsonrpc": "2.0", "id": "p", "result": {}})]);
}

#[tokio::test]
async fn a_ping_is_answered_even_when_nobody_waits() {
    let call = format!(r#"{ANSWER}; sleep 0.1; echo '{{"jsonrpc":"2.0","id":5,"method":"ping"}}'"#);
    let (folder, client) = connected(&call, "").await;
    client.call_tool("echo", json!({})).await.expect("an answer");
    let until = Instant::now() + Duration::from_secs(20);
    while seen(&folder, "a reply").is_empty() {
        assert!(Instant::now() < until, "no answer to the ping");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(seen(&folder, "a reply"), [json!({"jsonrpc": "2.0", "id": 5, "result": {}})]);
}

#[tokio::test]
async fn its_end_is_told_with_its_last_words() {
    let (_folder, client) = connected("echo 'no disk' >&2; exit 3", "").await;
    let error = client.call_tool("echo", json!({})).await.expect_err("it has ended");
    assert_eq!(error.to_string(), "the server sh has ended (exit status: 3)\n  no disk");
    let error = client.call_tool("echo", json!({})).await.expect_err("it is still gone");
    assert!(matches!(error, ClientError::Program { .. }), "{error}");
    client.close().await.expect("nothing is left");

    let (_folder, client) = connected("exec >&-; sleep 600", "").await;
    let error = client.call_tool("echo", json!({})).await.expect_err("it says no more");
    assert_eq!(error.to_string(), "the server sh has closed its standard output");
}

#[tokio::test]
async fn what_cannot_be_started_or_does_not_speak_is_told() {
    let start = |command: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let program = Program { command: command.to_owned(), arguments, ..Program::default() };
        let mut options = ClientOptions::program(program);
        options.timeout = Duration::from_secs(10);
        Client::connect(options)
    };
    let error = start("/no/such/program", &["secret"]).await.expect_err("there is none");
    assert!(error.to_string().starts_with("the server /no/such/program cannot be started: "), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("by hand")));
    let error = start("sh", &["-c", "echo usage: x >&2; exit 2"]).await.expect_err("no server");
    assert_eq!(error.to_string(), "the server sh has ended (exit status: 2)\n  usage: x");
}

#[tokio::test]
async fn silence_ends_in_a_timeout_and_a_cancellation() {
    let folder = TempDir::new().expect("a folder");
    let mut options = ClientOptions::program(program(folder.path(), ":", ""));
    options.timeout = Duration::from_secs(1);
    let client = Client::connect(options).await.expect("connected");
    let error = client.call_tool("echo", json!({})).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    drop(client.call_tool("echo", json!({})));
    client.close().await.expect("ended");
    let (calls, cancelled) = (seen(&folder, "tools/call"), seen(&folder, "notifications/cancelled"));
    assert_eq!((calls.len(), cancelled.len()), (1, 1));
    assert_eq!(cancelled[0]["params"]["requestId"], calls[0]["id"]);
}

#[tokio::test]
async fn nothing_grows_without_bound() {
    let (_folder, client) = connected("head -c 17000000 /dev/zero | tr '\\0' x; sleep 600", "").await;
    let error = client.call_tool("echo", json!({})).await.expect_err("too much");
    assert!(matches!(error, ClientError::Protocol(ProtocolError::TooLarge { limit }) if limit == 16 << 20), "{error}");
    let (_folder, client) = connected(&format!("yes 0123456789abcdef | head -c 3000000 >&2; {ANSWER}"), "").await;
    client.call_tool("echo", json!({})).await.expect("its log is read, and does not stop it");
}

#[tokio::test]
async fn it_is_ended_in_order_and_never_left_behind() {
    for (end, within) in [
        ("", Duration::from_secs(1)),
        ("trap 'echo term >term; exit' TERM; while :; do sleep 0.05; done", Duration::from_secs(4)),
        ("trap '' TERM; while :; do sleep 0.05; done", Duration::from_secs(6)),
    ] {
        let (folder, client) = connected("echo $$ >pid", &format!("echo $$ >pid; {end}")).await;
        let began = Instant::now();
        client.close().await.expect("ended");
        assert!(began.elapsed() < within, "{end}: {:?}", began.elapsed());
        assert_eq!(folder.path().join("term").exists(), end.contains("term"), "{end}");
        until_dead(&folder).await;
    }
    let (folder, client) = connected("echo $$ >pid; sleep 600", "").await;
    tokio::select! {
        answer = client.call_tool("echo", json!({})) => panic!("{answer:?}"),
        () = async { while !folder.path().join("pid").exists() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    drop(client);
    until_dead(&folder).await;
}

async fn until_dead(folder: &TempDir) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let pid = std::fs::read_to_string(folder.path().join("pid")).expect("its number");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        // A zombie waits for its parent to bury it: it is dead.
        if stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z')) {
            return;
        }
        assert!(Instant::now() < until, "{pid} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
