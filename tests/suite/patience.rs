//! How long the client's commands take at most, what they wait for, and what they say of it.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use archonctl::cli::exit;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use serde_json::json;

use crate::faulty::{Fault, Faulty, Refusal};
use crate::field::{Field, JSON, polite, raw, tool};
use crate::home::{Home, nobody};
use crate::init::remembered;

#[tokio::test]
async fn a_timeout_is_for_the_whole_command() {
    let late = || Fault::Late(Duration::from_millis(400));
    for args in
        [&["call", "write"][..], &["call", "write", "n=1"], &["call", "write", "--repeat", "50"], &["tools"], &["init"]]
    {
        let server = Faulty::start().await;
        for method in ["initialize", "tools/list", "tools/call"] {
            server.script(method, (0..50).map(|_| late()));
        }
        let began = Instant::now();
        let args = [args, &["--timeout", "700ms"]].concat();
        let ended = Home::with(&server).run(&args).await;
        let took = began.elapsed();
        if args[0] == "init" {
            ended.code(i32::from(exit::DONE));
        } else {
            ended.code(i32::from(exit::UNREACHABLE)).stderr(contains("within 700ms"));
        }
        assert!(took < Duration::from_millis(2500), "{args:?}: {took:?}");
        assert!(server.seen("tools/call").len() <= 2, "{args:?}");
    }
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_is_being_restarted_and_says_so() {
    let (socket, url) = nobody();
    let home = Home::empty();
    let mut command = home.command(&["call", "write", "--url", &url]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().expect("started");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let (note, errors) = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        errors.read_line(&mut line).map(|_| (line, errors))
    })
    .await
    .expect("joined")
    .expect("a line");
    assert!(note.starts_with(&format!("note: no server answers at {url}: ")), "{note}");
    assert!(note.contains("; trying again for up to 13s"), "{note}");
    let server = Faulty::on(socket.listen(16).expect("listening"));
    let output = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        let mut errors = errors;
        errors.read_to_string(&mut rest).map(|_| (child.wait_with_output(), rest))
    });
    let (output, rest) = output.await.expect("joined").expect("read");
    let output = output.expect("ended");
    assert_eq!((output.status.code(), rest.as_str()), (Some(i32::from(exit::DONE)), ""), "said once");
    assert_eq!((output.stdout, server.ran()), (b"{}\n".to_vec(), 1));
}

#[tokio::test]
async fn no_retries_and_other_commands_do_not_wait() {
    let (_port, url) = nobody();
    let home = Home::empty();
    for args in
        [&["call", "write", "--retries", "0"][..], &["call", "write", "--repeat", "2", "--retries", "0"], &["tools"]]
    {
        let ended = home.run(&[args, &["--url", &url]].concat()).await.code(i32::from(exit::UNREACHABLE));
        ended.stderr(contains("note: ").not()).stderr(contains("archonctl serve"));
    }
}

#[tokio::test]
async fn verbose_tells_attempts_waits_and_recoveries() {
    let (server, home, lost) = remembered().await;
    server.script("tools/call", [Fault::Busy(503)]);
    home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    server.script("tools/call", [Fault::Busy(503)]);
    server.forget(Refusal::Original);
    let told = home.run(&["call", "write", "-v"]).await.code(i32::from(exit::DONE)).stdout("{}\n");
    for words in [
        "going on with session ",
        "sending tools/call id=1",
        "the session is lost; opening a new one",
        "sending initialize id=2",
        "opened a session with faulty 1",
        "the server answered 503: busy; trying again in",
        "answered id=",
    ] {
        let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
        assert!(told.contains(words), "{words}:\n{told}");
    }
    let told = told.stderr(contains(format!("note: the server had lost session {lost}; opened ")));
    told.stderr(contains("accept").not());

    let mut command = home.command(&["call", "write", "-vv", "-H", "X-Key: hunter2"]);
    command.env("ARCHONCTL_TOKEN", "hunter3");
    let told = crate::home::run(command).await.code(i32::from(exit::DONE));
    told.stderr(contains("sending method=POST").and(contains("mcp-session-id"))).stderr(contains("hunter").not());
}

#[tokio::test]
async fn very_verbose_shows_no_secret_of_a_redirect() {
    let server = Field::start(|asked, nth| {
        let mut response = raw(307, "text/plain", "").filter(|_| asked.method == "initialize" && nth == 1)?;
        response.headers_mut().insert("location", "/mcp?key=hunter2#hunter2".parse().expect("a header"));
        response.headers_mut().insert("link", "</mcp?key=hunter2>".parse().expect("a header"));
        Some(response)
    });
    let server = server.await;
    let told = Home::at(&server.url).run(&["call", "echo", "-vv"]).await.code(i32::from(exit::DONE));
    told.stderr(contains("\"location\": \"/mcp\"")).stderr(contains("hunter").not());
}

#[tokio::test]
async fn what_a_server_gets_wrong_is_a_warning_and_cannot_drive_the_terminal() {
    let server = Field::start(|asked, nth| {
        let bad = json!({"name": "b\u{1b}[2Jd", "inputSchema": {}, "annotations": 7});
        let result = json!({"tools": [bad, tool("echo")], "nextCursor": nth.to_string()});
        let mut answer = polite(asked);
        answer["result"] = result;
        raw(200, JSON, answer.to_string()).filter(|_| asked.method == "tools/list")
    });
    let server = server.await;
    let told = Home::at(&server.url).run(&["tools"]).await.code(i32::from(exit::DONE)).stdout(contains("echo"));
    let told = told.stderr(contains("warning: the pages of tools/list do not advance"));
    told.stderr(contains("warning: ").and(contains("left out: b")).and(contains("\u{1b}").not()));
}
