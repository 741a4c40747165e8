//! SIGHUP: the token file is read again, and only who loses a terminal of its own stops.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::http::Answer;
use crate::process::signal;
use crate::terminal;
use crate::token_file::lines;

fn write(file: &Path, tokens: &[(&str, &str)]) {
    std::fs::write(file, lines(tokens)).expect("a token file");
}

async fn ping(session: &Session) -> Answer {
    session.request("ping", json!({})).await
}

/// Sends SIGHUP and waits for the `n`-th line that holds the text.
async fn reread(server: &ServeProcess, text: &str, n: usize) {
    server.signal("HUP");
    let began = Instant::now();
    while server.lines().iter().filter(|line| line.contains(text)).count() < n {
        assert!(began.elapsed() < SOON, "no {n} lines with {text:?}:\n{}", server.lines().join("\n"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const READ: &str = "was read again";

on_every_database!(tokens_are_read_again, |db| async {
    let file = db.folder().join("tokens");
    write(&file, &[("a", "ada"), ("b", "bob")]);
    let path = file.to_str().expect("a path").to_owned();
    let mut server = ServeProcess::start(&db, &["--token-file", &path, "--test-tools"]).await;
    let client = |token: &str| Mcp::new(server.url()).with_token(token);
    let (ada, bob) = (client("a").initialize(REVISION).await, client("b").initialize(REVISION).await);
    assert!(call(&ada).await);
    // A file that cannot be used changes nothing, and the line at fault is named.
    let twice = format!("{0} bob\n{0} ada\n", "a".repeat(64));
    for (content, said) in [
        ("", "names nobody"),
        ("# nobody\nhunter2 ada\n", "line 2"),
        ("# nobody\n", "names nobody"),
        (&twice, "line 2: the same token as in line 1"),
    ] {
        std::fs::write(&file, content).expect("written");
        let told = server.lines().iter().filter(|line| line.contains("the tokens stay")).count();
        reread(&server, "the tokens stay as they were", told + 1).await;
        assert!(server.lines().iter().any(|line| line.contains(said)), "{said}");
        assert!(!server.lines().iter().any(|line| line.contains("hunter2")));
        assert_eq!((ping(&ada).await.status, ping(&bob).await.status), (200, 200), "{content:?}");
    }
    std::fs::remove_file(&file).expect("removed");
    reread(&server, "cannot read the token file", 1).await;
    assert_eq!(ping(&ada).await.status, 200);
    // A new token for bob keeps his session; ada is not let in from now on, and her session is kept for now.
    write(&file, &[("c", "bob")]);
    reread(&server, READ, 1).await;
    assert_eq!((ping(&ada).await.status, ping(&bob).await.status), (401, 401));
    let bob = bob.at(client("c"));
    assert_eq!(ping(&bob).await.status, 200);
    write(&file, &[("c", "bob"), ("a", "ada")]);
    reread(&server, READ, 2).await;
    assert_eq!(ping(&ada).await.status, 200, "she is back in time");
    write(&file, &[("c", "bob")]);
    reread(&server, READ, 3).await;
    reread(&server, "1 sessions of a principal without a token have ended", 1).await;
    let of = |column: &str| {
        db.value(&format!("SELECT {column} FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{}'", ada.id))
    };
    let ended = ["status", "disconnect_reason", "ended_by"].map(of);
    assert_eq!(ended, ["disconnected", "operator", "token file"]);
    write(&file, &[("c", "bob"), ("a", "ada")]);
    reread(&server, READ, 5).await;
    assert_eq!(ping(&ada).await.status, 404, "she comes too late");
    assert_eq!(ping(&bob).await.status, 200);
    server.sigterm();
    assert_eq!(server.ended(SOON).await.code(), Some(0));
});

#[tokio::test]
async fn without_a_token_file_nothing_happens() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    reread(&server, "there is no token file to read again", 1).await;
    assert_eq!(ping(&session).await.status, 200);
}

/// A server on a terminal of its own, started by that shell command; gives it, the terminal, and where its log is.
fn on_a_terminal(db: &Database, before: &str) -> (Child, File, PathBuf) {
    let (terminal, its_end) = terminal::pair(80);
    let log = db.folder().join("log");
    let end = || Stdio::from(its_end.try_clone().expect("one more"));
    let program = env!("CARGO_BIN_EXE_archonctl");
    let script = format!("{before} exec {program} serve --bind 127.0.0.1:0 --database-url {}", db.url());
    let mut command = Command::new("setsid");
    command.args(["--ctty", "sh", "-c", &script]).env("HOME", db.folder()).stdin(end()).stdout(end());
    let child = command.stderr(File::create(&log).expect("a log")).spawn().expect("started");
    (child, terminal, log)
}

async fn logged(log: &Path, text: &str) {
    let began = Instant::now();
    while !std::fs::read_to_string(log).expect("a log").contains(text) {
        assert!(began.elapsed() < SOON, "no {text:?} in {:?}", std::fs::read_to_string(log));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn who_loses_its_terminal_stops_in_order() {
    let db = Database::sqlite();
    let (mut server, terminal, log) = on_a_terminal(&db, "");
    logged(&log, "listening on").await;
    signal(server.id(), "HUP");
    logged(&log, "there is no token file to read again").await;
    drop(terminal);
    logged(&log, "stopped; every session is kept").await;
    assert_eq!(server.wait().expect("ended").code(), Some(0));
}

#[tokio::test]
async fn who_was_told_to_ignore_that_goes_on() {
    let db = Database::sqlite();
    let (mut server, terminal, log) = on_a_terminal(&db, "trap '' HUP;");
    logged(&log, "listening on").await;
    drop(terminal);
    logged(&log, "there is no token file to read again").await;
    signal(server.id(), "TERM");
    assert_eq!(server.wait().expect("ended").code(), Some(0));
}
