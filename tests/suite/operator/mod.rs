//! What an operator types: `list`, `show`, `requests`, `events`, `stats`, `expire`, `db migrate`, with the real program.

mod closing;
mod connections;
mod following;
mod formats;
mod harmful;
pub(crate) mod original;
mod problems;
mod seeded;
mod stories;
mod terminal;
mod trouble;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use archonctl::cli::exit;
use archonctl::model::clock::Clock;
use archonctl::model::timestamp::Timestamp;
use assert_cmd::Command;
use serde_json::Value;

use crate::databases::Database;
use crate::process::archonctl;

/// A live session of Alice's, with two calls.
const LIVE: &str = "11111111-1111-4111-8111-111111111111";
const LIVE_PROTOCOL: &str = "aaaaaaaa-1111-4111-8111-111111111111";
/// An Archon session without a connection, closed; its id begins like that of the live one.
const CLOSED: &str = "11112222-2222-4222-8222-222222222222";
/// A client that is connected and has called no tool: the reserved id.
const WAITING: &str = "33333333-3333-4333-8333-333333333333";
const WAITING_PROTOCOL: &str = "cccccccc-3333-4333-8333-333333333333";
/// Another one, active in the database and past its time.
const OVER: &str = "44444444-4444-4444-8444-444444444444";
/// What went wrong in one of the calls: all that CSV must quote, and what must not reach a terminal.
const MISHAP: &str = "no \"such\" thing,\nsaid \u{1b}[31mit";

/// Runs `archonctl ARGS` on a database.
fn run(db: &Database, args: &[&str]) -> Output {
    run_at(db.folder(), db.url(), args)
}

fn run_at(home: &Path, url: &str, args: &[&str]) -> Output {
    let mut command = archonctl(home);
    command.env("DATABASE_URL", url);
    Command::from_std(command).args(args).timeout(Duration::from_secs(30)).output().expect("it ran")
}

/// What it prints, given that it is done.
fn printed(db: &Database, args: &[&str]) -> String {
    let output = run(db, args);
    let text = String::from_utf8(output.stdout).expect("text");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{args:?}: {told}{text}");
    text
}

/// The JSON document that it prints.
pub(crate) fn document(db: &Database, args: &[&str]) -> Value {
    let text = printed(db, &[args, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
}

/// The ids of a list of sessions.
fn ids(document: &Value) -> Vec<&str> {
    let sessions = document["sessions"].as_array().expect("a list of sessions");
    sessions.iter().map(|session| session["session_id"].as_str().expect("an id")).collect()
}

/// What it says on standard error, given that it fails with that exit code and prints nothing.
fn told(db: &Database, args: &[&str], code: u8) -> String {
    let output = run(db, args);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(i32::from(code)), "{args:?}: {text}");
    assert!(output.stdout.is_empty(), "{args:?}");
    text
}

/// A moment so many seconds before now, as a literal for either database.
fn ago(seconds: i64) -> String {
    let now = Clock::default().now();
    format!("'{}'", Timestamp::from_millis(now.millis() - seconds * 1000).sql_text())
}

/// A database with the sessions above, as servers leave them; one is alive.
fn filled(db: &Database) {
    printed(db, &["db", "migrate"]);
    let (now, soon, hour, lately) = (ago(10), ago(-3600), ago(3600), ago(2400));
    let (start, end) = (ago(7200), ago(1800));
    let mishap = MISHAP.replace('\'', "''");
    let minute = Clock::default().now().minute();
    let (minute, hour_of_calls, day) = (minute.sql_text(), minute.hour().sql_text(), minute.day().sql_text());
    db.rows(&format!(
        "INSERT INTO archon_mcp_boots (boot_id, version, started_at, heartbeat_at)
         VALUES ('99999999-9999-4999-8999-999999999999', '0.2.0', {start}, {soon});
         INSERT INTO archon_mcp_protocol_sessions
           (protocol_session_id, session_id, principal, protocol_version, client_type, client_name, client_version,
            connected_at, last_activity, expires_at, boot, credited, called, calls, errors, prompt_tokens, completion_tokens)
         VALUES ('{LIVE_PROTOCOL}', '{LIVE}', 'alice', '2025-11-25', 'Claude Code', 'claude-code', '1.0.0', {start}, {now}, {soon},
              1, 0, TRUE, 2, 1, 30, 50),
           ('{WAITING_PROTOCOL}', '{WAITING}', '', '2025-06-18', 'Cursor', 'cursor-vscode', '2.0', {start}, {lately}, {soon},
              1, 0, FALSE, 0, 0, 0, 0);
         INSERT INTO archon_mcp_sessions
           (session_id, protocol_session_id, client_type, client_name, client_version, principal, user_name, user_email,
            connected_at, last_activity, expires_at, boot, credited, calls, errors, prompt_tokens, completion_tokens)
         VALUES ('{LIVE}', '{LIVE_PROTOCOL}', 'Claude Code', 'claude-code', '1.0.0', 'alice', 'alice', 'alice@example.org', {start},
              {now}, {soon}, 1, 0, 2, 1, 30, 50),
           ('{CLOSED}', NULL, 'Cursor', 'cursor-vscode', '2.0', '', NULL, NULL, {start}, {hour}, {soon}, 1, 0, 0, 0, 0, 0),
           ('{OVER}', NULL, 'Cursor', 'cursor-vscode', '2.0', '', NULL, NULL, {start}, {hour}, {end}, 1, 0, 0, 0, 0, 0);
         UPDATE archon_mcp_protocol_sessions SET client_capabilities = '{{\"roots\":{{}}}}' WHERE session_id = '{LIVE}';
         UPDATE archon_mcp_sessions SET status = 'disconnected', disconnected_at = {end}, disconnect_reason = 'client_disconnect',
            ended_by = 'client' WHERE session_id = '{CLOSED}';
         INSERT INTO archon_mcp_requests
           (session_id, protocol_session_id, method, tool_name, prompt_tokens, completion_tokens, timestamp, duration_ms,
            duration_us, status, error_message, session_rule, boot, seq)
         VALUES ('{LIVE}', '{LIVE_PROTOCOL}', 'tools/call', 'health_check', 10, 20, '{minute}', 1, 1500, 'success', NULL, 'new', 1, 1),
           ('{LIVE}', '{LIVE_PROTOCOL}', 'tools/call', 'find_projects', 20, 30, '{minute}', 40, 40000, 'error', '{mishap}', 'bound', 1, 2),
           (NULL, '{WAITING_PROTOCOL}', 'tools/list', NULL, NULL, NULL, '{minute}', 0, 90, 'success', NULL, NULL, 1, 3)"
    ));
    let sums = "calls, duration_us, prompt_tokens, completion_tokens";
    for (table, column, at) in [("archon_mcp_rollups", "minute", &minute), ("archon_mcp_rollups_daily", "day", &day)] {
        db.rows(&format!(
            "INSERT INTO {table} ({column}, method, tool_name, client_type, status, bucket, {sums})
             VALUES ('{at}', 'tools/call', 'health_check', 'Claude Code', 'success', 42, 1, 1500, 10, 20),
               ('{at}', 'tools/call', 'find_projects', 'Claude Code', 'error', 61, 1, 40000, 20, 30),
               ('{at}', 'tools/list', '', 'Cursor', 'success', 26, 1, 90, 0, 0)"
        ));
    }
    db.rows(&format!(
        "INSERT INTO archon_mcp_rollups_hourly (hour, status, bucket, {sums})
         VALUES ('{hour_of_calls}', 'success', 42, 1, 1500, 10, 20), ('{hour_of_calls}', 'error', 61, 1, 40000, 20, 30)"
    ));
}
