//! No database, an empty one, a busy one, a server that is not there, a reader that goes away: exit codes by name, and the
//! way out.

use std::io::Read;
use std::process::Stdio;

use tempfile::TempDir;

use super::*;
use crate::databases::on_every_database;
use crate::process::ServeProcess;

const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["show", "1"],
    &["requests"],
    &["requests", "-f"],
    &["events"],
    &["stats"],
    &["stats", "--by", "session"],
    &["expire", "1"],
    &["expire", "--all", "--yes"],
];

#[test]
fn no_database_names_the_path_and_the_user() {
    let home = TempDir::new().expect("a folder");
    let user = std::process::Command::new("id").arg("-un").output().expect("id runs").stdout;
    let user = String::from_utf8(user).expect("a name");
    for args in COMMANDS {
        let run = |more: &[&str]| {
            let output = archonctl(home.path()).args(*args).args(more).output().expect("it ran");
            assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{args:?}");
            assert!(output.stdout.is_empty(), "{args:?}");
            String::from_utf8(output.stderr).expect("text")
        };
        let text = run(&[]);
        let path = home.path().join(".local/state/archonctl/archon.db");
        for words in [path.to_str().expect("a path"), &format!("user {}", user.trim()), "\nhint: archonctl serve"] {
            assert!(text.contains(words), "{args:?}: {words:?} is not in {text}");
        }
        for json in [&["--json"][..], &["-o", "json"], &["-ojsonl"], &["--output=json"]] {
            let line = run(json);
            let error: Value = serde_json::from_str(&line).expect("one JSON line");
            assert_eq!((error["error"]["code"].as_str(), line.lines().count()), (Some("database"), 1), "{args:?}");
        }
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_database_server_that_is_not_there() {
    let home = TempDir::new().expect("a folder");
    for args in COMMANDS.iter().chain(&[&["db", "migrate"][..]]) {
        let output = run_at(home.path(), "postgres://me:secret@127.0.0.1:1/archon", args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(exit::UNREACHABLE)), "{args:?}: {text}");
        assert!(text.contains("postgres://me@127.0.0.1:1/archon") && text.contains("\nhint: "), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

on_every_database!(an_empty_database_is_no_failure, |db| async {
    let made = document(&db, &["db", "migrate"]);
    assert_eq!((&made["schema"], &made["applied"][0]["version"]), (&Value::from(3), &Value::from(1)));
    assert_eq!(document(&db, &["db", "migrate"])["applied"], Value::Array(Vec::new()), "the second time");
    for (args, list, words) in [
        (&["list"][..], "sessions", "archonctl list --all"),
        (&["list", "--all"], "sessions", "No session matches"),
        (&["requests"], "requests", "archonctl call TOOL"),
        (&["events"], "events", "No event"),
        (&["stats"], "groups", "archonctl call TOOL"),
        (&["stats", "--by", "user"], "groups", "archonctl call TOOL"),
    ] {
        let output = run(&db, args);
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(words), "{args:?}: {told}");
        let document = document(&db, args);
        assert_eq!((&document["version"], &document[list]), (&Value::from(1), &Value::Array(Vec::new())), "{args:?}");
        assert_eq!(printed(&db, &[args, &["-ocsv"][..]].concat()).lines().count(), 1, "{args:?}: the header");
    }
    assert!(told(&db, &["show", "1"], exit::NO_SESSION).contains("archonctl list --all"));
    assert!(told(&db, &["expire", "1"], exit::NO_SESSION).contains("archonctl list --all"));
    assert!(printed(&db, &["expire", "--all", "--yes"]).contains("nothing was ended"));
});

on_every_database!(the_beginning_of_an_id, |db| async {
    filled(&db);
    let text = told(&db, &["show", "1111"], exit::USAGE);
    assert!(text.contains(LIVE) && text.contains(CLOSED) && text.contains("\nhint: type more"), "{text}");
    let text = told(&db, &["expire", "1111"], exit::USAGE);
    assert!(text.contains(LIVE) && text.contains(CLOSED), "{text}");
    assert!(told(&db, &["requests", "--session", "1111"], exit::USAGE).contains(CLOSED));
    for nothing in ["99", "no-such-id", "11111111-1111-4111-8111-1111111111112", "%", "'", " "] {
        assert!(
            told(&db, &["show", nothing], exit::NO_SESSION).starts_with("error: no session has an id"),
            "{nothing}"
        );
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'"), "2", "nothing was ended");
});

on_every_database!(wrong_usage_is_told_before_anything_is_done, |db| async {
    filled(&db);
    for args in [
        &["list", "--since", "soon"][..],
        &["list", "--status", "gone"],
        &["list", "--all", "--status", "active"],
        &["list", "-o", "yaml"],
        &["list", "--json", "-o", "csv"],
        &["stats", "--by", "mood"],
        &["show"],
        &["expire"],
        &["expire", "1", "--all"],
        &["expire", "--all"],
        &["expire", "--idle", "1s"],
        &["db"],
        &["db", "mend"],
    ] {
        told(&db, args, exit::USAGE);
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'"), "2", "nothing was ended");
});

on_every_database!(a_reader_that_goes_away_is_no_failure, |db| async {
    filled(&db);
    for args in
        [&["list"][..], &["show", LIVE], &["requests"], &["requests", "-f"], &["events", "--json"], &["stats", "-ocsv"]]
    {
        let mut command = archonctl(db.folder());
        command.args(args).env("DATABASE_URL", db.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        let mut text = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(i32::from(exit::DONE)), "{args:?}: {text}");
        assert_eq!(text, "", "{args:?}");
    }
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_database_can_be_looked_at() {
    let db = Database::sqlite();
    let _server = ServeProcess::start(&db, &[]).await;
    let path = db.url().trim_start_matches("sqlite://");
    let writer = rusqlite::Connection::open(path).expect("the database");
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE archonctl_meta SET value = value").expect("a writer at work");
    for args in [&["list"][..], &["requests"], &["events"], &["stats"]] {
        document(&db, args);
    }
    writer.execute_batch("ROLLBACK").expect("done");
}

#[test]
fn help_shows_examples_and_what_the_json_looks_like() {
    let home = TempDir::new().expect("a folder");
    for args in [&["list"][..], &["show"], &["requests"], &["events"], &["stats"], &["expire"], &["db", "migrate"]] {
        let output = archonctl(home.path()).args(args).arg("--help").output().expect("it ran");
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{args:?}");
        assert!(text.contains("Examples:") && text.contains("\"version\": 1"), "{args:?}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 125), "{args:?}: {text}");
    }
}
