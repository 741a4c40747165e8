//! On a terminal: tmux types, and reads the screen.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::tmux::{DEADLINE, Tmux, dashboard, has_tmux};
use crate::databases::Database;
use crate::http::Mcp;
use crate::process::ServeProcess;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_a_session_and_ends_it() {
    if !has_tmux() {
        return;
    }
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &["--capture", "errors"]).await;
    let mcp = Mcp::new(server.url());
    let quiet = mcp.initialize_as("cursor", "2025-06-18").await;
    quiet.call("health_check", json!({})).await;
    let doomed = mcp.initialize_as("windsurf", "2025-06-18").await;
    for _ in 0..3 {
        doomed.call("manage_project", json!({"action": "delete", "project_id": "missing"})).await;
    }
    let tmux = Tmux::start(db.folder(), (120, 40));
    tmux.wait_for("ready>");
    tmux.write(&dashboard(&db));
    tmux.press(&["Enter"]);
    tmux.wait("both sessions", |s| s.contains("Cursor") && s.contains("Windsurf") && s.contains("server up"));
    tmux.wait_for("failed 3× in a row");
    // The filter, and closer: from the warning to the call, with its words.
    tmux.write("/client:windsurf");
    tmux.wait("only the one", |s| s.contains("Windsurf") && !s.contains("Cursor "));
    tmux.press(&["Enter"]);
    tmux.press(&["Enter"]);
    tmux.wait("the session", |s| s.contains("Archon session ") && s.contains("manage_project"));
    tmux.press(&["Enter"]);
    tmux.wait("the call with its words", |s| s.contains("\"project_id\": \"missing\""));
    tmux.press(&["Escape"]);
    tmux.wait_for("Archon session ");
    // It ends, and the running server refuses it.
    tmux.write("x");
    tmux.wait("the question", |s| s.contains("End 1 session?") && s.contains("What ends: 3 calls"));
    tmux.write("y");
    tmux.wait_for("Ended 1 session.");
    let began = Instant::now();
    loop {
        let answer = doomed.request("tools/call", json!({"name": "health_check", "arguments": {}})).await;
        if answer.status == 404 {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(quiet.request("ping", json!({})).await.status, 200);
    // Suspended and back, another size, then out: the terminal is as it was.
    tmux.press(&["C-z"]);
    tmux.wait("the shell", |s| s.contains("Stopped") && s.contains("ready>") && !s.contains("Archon session "));
    tmux.write("fg");
    tmux.press(&["Enter"]);
    tmux.wait_for("Archon session ");
    tmux.run(&["resize-window", "-x", "70", "-y", "20"]);
    tmux.wait("the smaller screen", |s| s.contains("Archon session ") && s.lines().count() <= 20);
    tmux.write("q");
    tmux.wait_for_the_terminal();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_its_database_and_leaves_on_sigterm() {
    if !has_tmux() {
        return;
    }
    let db = Database::sqlite();
    let tmux = Tmux::start(db.folder(), (100, 30));
    tmux.wait_for("ready>");
    tmux.write(&format!(
        "cd {}; (echo $BASHPID > pid; exec env {}); echo left $?",
        db.folder().display(),
        dashboard(&db)
    ));
    tmux.press(&["Enter"]);
    tmux.wait_for("NO DATABASE");
    let server = ServeProcess::start(&db, &[]).await;
    tmux.wait("the server", |s| s.contains("server up") && s.contains("No sessions yet"));
    drop(server);
    let pid = std::fs::read_to_string(db.folder().join("pid")).expect("a pid");
    let killed = Command::new("kill").args(["-TERM", pid.trim()]).status().expect("kill runs");
    assert!(killed.success());
    tmux.wait_for("left 143");
    tmux.wait_for_the_terminal();
}
