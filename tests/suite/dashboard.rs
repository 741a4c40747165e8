//! `archonctl dashboard` with the real program: what it counts is what the other commands count, and on a terminal (tmux)
//! it shows, ends sessions, and gives the terminal back.

mod counts;
pub(crate) mod demo;
mod hands;
mod lasting;
mod late;
mod original;
mod tmux;
mod typed;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::databases::Database;
use crate::process::archonctl;

/// Runs `archonctl ARGS` on a database.
fn run(db: &Database, args: &[&str]) -> Output {
    archonctl(db.folder()).env("DATABASE_URL", db.url()).args(args).output().expect("it runs")
}

/// The JSON document that it prints.
fn document(db: &Database, args: &[&str]) -> Value {
    let output = run(db, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A store with so many sessions and requests.
fn seed(db: &Database, sessions: u32, requests: u32) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/seed-demo.sh");
    let mut command = Command::new(script);
    command.args(["--sessions", &sessions.to_string(), "--requests", &requests.to_string(), db.url()]);
    let output = command.env("ARCHONCTL", env!("CARGO_BIN_EXE_archonctl")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
