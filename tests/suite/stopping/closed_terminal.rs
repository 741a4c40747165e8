//! The window is closed under a command: it ends, without a panic, and nothing of it stays.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::*;
use crate::dashboard::demo::wait_until_all_is_gone;
use crate::process::archonctl;
use crate::terminal;

/// Commands that go on until somebody ends them, and what they show when they have begun.
const COMMANDS: [(&[&str], &str); 8] = [
    (&["dashboard"], "SESSION"),
    (&["demo"], "SESSION"),
    (&["selftest", "--jobs", "2", "--repeat", "50"], "PASS"),
    (&["list", "--watch=100ms"], "SESSION"),
    (&["requests", "-f"], "TIME"),
    (&["events", "-f"], "TIME"),
    (&["call", "test_sleep", "ms=600000", "-vv"], "sending"),
    (&["serve", "--bind", "127.0.0.1:0", "--database-url", "sqlite::memory:"], "listening on"),
];

/// Whether the terminal is the command's own, so that the system tells it of the end (SIGHUP). Else it finds out by
/// reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminal {
    Own,
    Others,
}

/// Runs it on a terminal until it shows that, closes the terminal, and gives how it ended.
fn closed_under(args: &[&str], shown: &str, whose: Terminal, db: &Database, url: &str) -> ExitStatus {
    let temporary = db.folder().join("temporary");
    std::fs::create_dir_all(&temporary).expect("a folder");
    let (mut master, slave) = terminal::pair(120);
    let end = || Stdio::from(slave.try_clone().expect("one more"));
    let mut command = archonctl(db.folder());
    if whose == Terminal::Own {
        let program = command.get_program().to_owned();
        let environment: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        command = std::process::Command::new("setsid");
        command.env_clear().envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
        command.args(["--ctty", "--wait"]).arg(program).current_dir(db.folder());
    }
    command.args(args).env("TERM", "xterm-256color").env("TMPDIR", &temporary);
    command.env("DATABASE_URL", db.url()).env("ARCHONCTL_URL", url);
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("started");
    drop((slave, command));
    read_until(&mut master, shown);
    drop(master);
    let began = Instant::now();
    let status = loop {
        match child.try_wait().expect("its status") {
            Some(status) => break status,
            None => assert!(began.elapsed() < SOON, "{args:?} {whose:?} still runs"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    wait_until_all_is_gone(&temporary);
    status
}

fn read_until(master: &mut File, text: &str) {
    let flags = fcntl_getfl(&*master).expect("its flags");
    fcntl_setfl(&*master, flags | OFlags::NONBLOCK).expect("set");
    let (mut shown, mut part, began) = (Vec::new(), [0; 4096], Instant::now());
    while !String::from_utf8_lossy(&shown).contains(text) {
        match master.read(&mut part) {
            Ok(n) => shown.extend_from_slice(&part[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && began.elapsed() < SOON => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error} before {text}: {}", String::from_utf8_lossy(&shown)),
        }
    }
}

async fn seeded(db: &Database) -> ServeProcess {
    let server = ServeProcess::start(db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    assert!(call(&session).await);
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_with_its_terminal() {
    let db = Database::sqlite();
    let server = seeded(&db).await;
    for (args, shown) in COMMANDS {
        let status = closed_under(args, shown, Terminal::Own, &db, server.url());
        // The signal itself ends those that have nothing to tidy up.
        let is_quiet = matches!(status.code(), Some(0 | 143)) || status.signal() == Some(1);
        assert!(is_quiet, "{args:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_when_it_can_neither_read_nor_write() {
    let db = Database::sqlite();
    let server = seeded(&db).await;
    // Those that read, or write again and again: the others find out when they have something to say.
    for (args, shown) in &COMMANDS[..4] {
        let status = closed_under(args, shown, Terminal::Others, &db, server.url());
        assert_eq!(status.code(), Some(0), "{args:?}: {status}");
    }
}
