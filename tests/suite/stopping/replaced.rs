//! Another version of the program takes the place of the one that serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::kept_port::{next_server, serving};
use super::*;
use crate::process::{archonctl, signal};

fn copy_program(to: &Path) {
    // A file that runs cannot be written to; one that stands in its place can be anything.
    let new = to.with_extension("new");
    fs::copy(env!("CARGO_BIN_EXE_archonctl"), &new).expect("a copy");
    fs::rename(new, to).expect("in its place");
}

#[tokio::test]
async fn another_program_takes_the_place_of_a_server_when_it_is_well() {
    let db = Database::sqlite();
    let program = db.folder().join("program");
    copy_program(&program);
    let arguments = ["serve", "--keep-port", "--bind", "127.0.0.1:0", "--database-url", db.url()];
    let keeper = ServeProcess::launch_program(&program, db.folder(), &arguments).await;
    let session = Mcp::new(keeper.url()).initialize(REVISION).await;
    let (old, number) = serving(&db);
    for (broken, said) in [("#!/bin/sh\nexit 3\n", "--check ended with exit code 3"), ("no program", "cannot start")] {
        let new = program.with_extension("new");
        fs::write(&new, broken).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("may be run");
        fs::rename(new, &program).expect("in its place");
        keeper.signal("USR2");
        keeper.wait_for_line(said, SOON).await;
        assert_eq!(serving(&db), (old, number), "the old one goes on");
        assert_eq!(session.request("ping", json!({})).await.status, 200);
    }
    copy_program(&program);
    keeper.signal("USR2");
    let new = next_server(&db, number).await;
    assert_ne!(new, old);
    assert_eq!(session.request("ping", json!({})).await.status, 200, "the session goes on");
    assert_eq!(db.value(&format!("SELECT end_cause FROM archon_mcp_boots WHERE number = {number}")), "clean");
    // Without a process that keeps the port the signal does nothing.
    signal(new, "USR2");
    keeper.wait_for_line("send it to the first process of a `serve --keep-port`", SOON).await;
    assert_eq!(session.request("ping", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_check_says_whether_a_server_could_start_and_changes_nothing() {
    let db = Database::sqlite();
    let check = |arguments: &[&str]| {
        let mut command = archonctl(db.folder());
        command.args(["serve", "--check"]).args(arguments).env("DATABASE_URL", db.url());
        let output = command.output().expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, log) = check(&[]);
    assert_eq!(code, Some(0), "{log}");
    assert!(!db.folder().join("archon.db").exists(), "nothing was made");
    let server = ServeProcess::start(&db, &[]).await;
    assert_eq!(check(&[]).0, Some(0), "beside a server at work");
    assert_eq!(check(&["--session-timeout", "0s"]).0, Some(2));
    assert_eq!(check(&["--token-file", "/no/such/file"]).0, Some(2));
    drop(server);
    fs::write(db.folder().join("archon.db"), "no database").expect("written");
    assert_eq!(check(&[]).0, Some(2));
    for nowhere in ["", "/archon.db/new.db"] {
        let url = format!("sqlite://{}{nowhere}", db.folder().display());
        assert_eq!(check(&["--database-url", &url]).0, Some(2), "{url}");
    }
}
