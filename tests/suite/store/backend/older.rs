//! What an older version left: its database is opened as it stands, its clients go on with the ids that they have, and its
//! servers that still run do no harm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{count, rows};
use crate::databases::{Database, on_every_database};
use crate::http::Mcp;
use crate::process::{ServeProcess, archonctl};

/// A database per version, made by its own program: `tests/fixtures/make.py`.
const VERSIONS: [&str; 1] = ["0.1.0"];
/// What is written behind an answer is there by then.
const SOON: Duration = Duration::from_secs(30);
/// Every column with a moment in it.
const MOMENTS: [(&str, &str); 12] = [
    ("archon_mcp_boots", "started_at"),
    ("archon_mcp_boots", "heartbeat_at"),
    ("archon_mcp_boots", "ended_at"),
    ("archon_mcp_sessions", "connected_at"),
    ("archon_mcp_sessions", "last_activity"),
    ("archon_mcp_sessions", "expires_at"),
    ("archon_mcp_sessions", "disconnected_at"),
    ("archon_mcp_protocol_sessions", "connected_at"),
    ("archon_mcp_protocol_sessions", "last_activity"),
    ("archon_mcp_protocol_sessions", "expires_at"),
    ("archon_mcp_protocol_sessions", "disconnected_at"),
    ("archon_mcp_requests", "timestamp"),
];

fn fixture(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version).join(name)
}

/// Fills an empty database with what that version left, as if its server had been killed a minute ago.
pub(crate) fn leave(db: &Database, version: &str) {
    if db.is_postgres() {
        db.rows(&fs::read_to_string(fixture(version, "postgres.sql")).expect("a dump"));
    } else {
        fs::copy(fixture(version, "archon.db"), file(db)).expect("a file");
    }
    let last = "(SELECT MAX(heartbeat_at) FROM archon_mcp_boots)";
    let ago = if db.is_postgres() {
        format!("SELECT ROUND(EXTRACT(EPOCH FROM clock_timestamp() - {last})) - 60")
    } else {
        format!("SELECT CAST(round((julianday('now') - julianday({last})) * 86400) AS INTEGER) - 60")
    };
    let seconds = db.value(&ago);
    // The heartbeats last: they are what the others are moved by.
    for (table, column) in MOMENTS {
        let moved = if db.is_postgres() {
            format!("{column} + {seconds} * INTERVAL '1 second'")
        } else {
            format!("strftime('%Y-%m-%d %H:%M:%f', {column}, '{seconds} seconds')")
        };
        db.rows(&format!("UPDATE {table} SET {column} = {moved} WHERE {column} IS NOT NULL"));
    }
}

fn file(db: &Database) -> PathBuf {
    db.url().trim_start_matches("sqlite://").into()
}

fn copy_of(db: &Database) -> PathBuf {
    file(db).with_extension("db.before-0002")
}

/// The clients that were live, and those that had ended.
pub(crate) fn clients(db: &Database, version: &str) -> [Vec<Value>; 2] {
    let text = fs::read_to_string(fixture(version, "clients.json")).expect("a list of clients");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let of_this = &all[if db.is_postgres() { "postgres" } else { "sqlite" }];
    ["live", "ended"].map(|kind| of_this[kind].as_array().expect("a list").clone())
}

async fn until(db: &Database, sql: &str, expected: &str) {
    let began = Instant::now();
    while db.value(sql) != expected {
        assert!(began.elapsed() < SOON, "{} instead of {expected}\nfrom: {sql}", db.value(sql));
        sleep(Duration::from_millis(50)).await;
    }
}

on_every_database!(clients_of_an_older_version_go_on, |db| async {
    let version = VERSIONS[0];
    leave(&db, version);
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let mcp = Mcp::new(server.url());
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "health_check"}}).to_string();
    let [live, ended] = clients(&db, version);
    let text = |client: &Value, field: &str| client[field].as_str().expect("a text").to_owned();
    for client in &live {
        let answer = mcp.post(&[("mcp-session-id", &text(client, "protocol"))], call.clone()).await.expect("an answer");
        assert_eq!(answer.status, 200, "{client}: {}", answer.text());
        assert_eq!(answer.header("x-archon-session-id"), client["archon"].as_str(), "{client}");
        assert_eq!(answer.header("x-archon-record"), None);
    }
    for client in &ended {
        let answer = mcp.post(&[("mcp-session-id", &text(client, "protocol"))], call.clone()).await.expect("an answer");
        assert_eq!(answer.status, 404, "{client}: {}", answer.text());
        assert_eq!(answer.json()["error"]["data"]["reason"], "session_ended", "{client}");
    }
    // What the killed boot had not summed up is summed up, once.
    for client in &live {
        let shared = live.iter().filter(|other| other["archon"] == client["archon"]);
        let calls: u64 = shared.map(|other| other["calls"].as_u64().expect("a number") + 1).sum();
        let sql = format!("SELECT calls FROM archon_mcp_sessions WHERE session_id = '{}'", text(client, "archon"));
        until(&db, &sql, &calls.to_string()).await;
    }
    assert_eq!(count(&db, "archon_projects WHERE title = 'made by an older version'"), 1);
    if !db.is_postgres() {
        // Its starts are counted, and ours is the next one.
        assert_eq!(db.value("SELECT MAX(start_number) = COUNT(*) AND COUNT(*) > 1 FROM archon_mcp_boots"), "1");
    }
    // And new ones come.
    mcp.initialize("2025-11-25").await;
});

on_every_database!(a_file_is_copied_once_before_its_schema_changes, |db| async {
    leave(&db, VERSIONS[0]);
    let before = count(&db, "archon_mcp_requests");
    let said = |server: &ServeProcess| server.lines().iter().filter(|l| l.contains("copied before its schema")).count();
    let mut server = ServeProcess::start(&db, &[]).await;
    if db.is_postgres() {
        assert_eq!(said(&server), 0, "PostgreSQL has its own means");
        return;
    }
    assert_eq!(said(&server), 1);
    server.sigkill();
    let mode = fs::metadata(copy_of(&db)).expect("a copy").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let copy = Database::sqlite();
    fs::copy(copy_of(&db), file(&copy)).expect("copied");
    assert_eq!(copy.value("PRAGMA integrity_check"), "ok");
    assert_eq!(rows(&copy, "SELECT version FROM archonctl_migrations"), [["1"]], "as it was");
    assert_eq!(count(&copy, "archon_mcp_requests"), before);
    let when = fs::metadata(copy_of(&db)).expect("a copy").modified().expect("a time");
    let server = ServeProcess::start(&db, &[]).await;
    assert_eq!(said(&server), 0, "there is nothing to change any more");
    assert_eq!(fs::metadata(copy_of(&db)).expect("kept").modified().expect("a time"), when);
    // Nothing is copied where there was nothing.
    let fresh = Database::sqlite();
    let server = ServeProcess::start(&fresh, &[]).await;
    assert!(said(&server) == 0 && !copy_of(&fresh).exists());
});

/// A disk that is full: no copy, no change.
#[test]
fn without_room_for_the_copy_nothing_is_changed() {
    let db = Database::sqlite();
    leave(&db, VERSIONS[0]);
    let migrate = format!("trap '' XFSZ; ulimit -f 64; exec {} db migrate", env!("CARGO_BIN_EXE_archonctl"));
    let mut command = Command::new("bash");
    command.args(["-c", &migrate]).env("DATABASE_URL", db.url()).env("HOME", db.folder());
    let output = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot copy the database to") && told.contains("nothing was changed"), "{told}");
    assert_eq!(rows(&db, "SELECT version FROM archonctl_migrations"), [["1"]]);
    let files: Vec<_> =
        fs::read_dir(db.folder()).expect("a folder").filter_map(|f| f.ok()?.file_name().into_string().ok()).collect();
    assert!(!files.iter().any(|file| file.contains("before")), "{files:?}");
    assert!(
        archonctl(db.folder()).args(["db", "migrate", "--database-url", db.url()]).status().expect("it runs").success()
    );
}

/// Begins a migration and kills it after that time; `true` when it was done before.
fn migrate_and_kill(db: &Database, after: Duration) -> bool {
    let mut command = archonctl(db.folder());
    command.args(["db", "migrate", "--database-url", db.url()]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it runs");
    std::thread::sleep(after);
    let was_done = child.try_wait().expect("its state").is_some();
    _ = child.kill();
    child.wait().expect("ended");
    was_done
}

/// Twenty moments from the program's start to its end; the next start finds all or nothing, and does what is missing.
#[test]
fn a_migration_that_is_killed_is_made_by_the_next_start() {
    for postgres in [false, true] {
        let mut done = 0;
        let mut took = Duration::ZERO;
        for n in 0..21 {
            let Some(db) = (if postgres { Database::postgres() } else { Some(Database::sqlite()) }) else { return };
            leave(&db, VERSIONS[0]);
            let sums = "SELECT SUM(calls), COUNT(*), MIN(session_id || '') FROM archon_mcp_sessions";
            let before = rows(&db, &sums.replace("session_id || ''", "CAST(session_id AS TEXT)"));
            let migrate = || archonctl(db.folder()).args(["db", "migrate", "--database-url", db.url()]).output();
            if n == 0 {
                let began = Instant::now();
                assert!(migrate().expect("it runs").status.success());
                took = began.elapsed();
                continue;
            }
            let after = took * n / 20;
            if migrate_and_kill(&db, after) {
                done += 1;
                // The first run may have met a busy machine; the moments that follow are spread over what it takes now.
                took = took.min(after);
            }
            let migrations = count(&db, "archonctl_migrations");
            let has = rows(&db, "SELECT value FROM archonctl_meta WHERE key = 'oldest_program'");
            assert_eq!(migrations == 1, has == [["0.1.0"]], "all or nothing: {migrations} {has:?}");
            let output = migrate().expect("it runs");
            assert!(output.status.success(), "after {n}/20: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(count(&db, "archonctl_migrations"), 3);
            assert_eq!(rows(&db, &sums.replace("session_id || ''", "CAST(session_id AS TEXT)")), before);
            if !postgres {
                assert_eq!(db.value("PRAGMA integrity_check"), "ok");
            }
        }
        assert!(done < 15, "{done} of 20 were not killed at all");
    }
}

/// A server of 0.1.0 that was running when the schema changed; in its very words.
mod statements {
    pub(super) const TOUCH_PROTOCOL: &str = "UPDATE archon_mcp_protocol_sessions AS t SET last_activity = j.last_activity, expires_at = j.expires_at, boot = j.boot FROM (SELECT * FROM jsonb_populate_recordset(NULL::archon_mcp_protocol_sessions, '{rows}'::jsonb) LIMIT jsonb_array_length('{rows}'::jsonb)) AS j WHERE t.protocol_session_id = j.protocol_session_id AND t.status = 'active' AND t.last_activity < j.last_activity";
    pub(super) const TOUCH_ARCHON: &str = "UPDATE archon_mcp_sessions AS t SET last_activity = j.last_activity, expires_at = j.expires_at, boot = j.boot FROM (SELECT * FROM jsonb_populate_recordset(NULL::archon_mcp_sessions, '{rows}'::jsonb) LIMIT jsonb_array_length('{rows}'::jsonb)) AS j WHERE t.session_id = j.session_id AND t.status = 'active' AND t.last_activity < j.last_activity";
    pub(super) const REAP_ARCHON: &str = "WITH picked AS MATERIALIZED ( SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' AND expires_at < {now} AND (boot IS NULL OR boot >= 0) ORDER BY expires_at LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED) UPDATE archon_mcp_sessions SET status = 'expired', disconnected_at = {now}, ended_by = 'server', disconnect_reason = CASE WHEN connected_at <= {old} THEN 'max_age' ELSE 'timeout' END WHERE status = 'active' AND session_id IN (SELECT session_id FROM picked) RETURNING session_id";
    pub(super) const REAP_PROTOCOL: &str = "WITH picked AS MATERIALIZED ( SELECT protocol_session_id FROM archon_mcp_protocol_sessions WHERE status = 'active' AND expires_at < {now} AND (boot IS NULL OR boot >= 0) ORDER BY expires_at LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED) UPDATE archon_mcp_protocol_sessions SET status = 'expired', disconnected_at = {now}, ended_by = 'server', disconnect_reason = CASE WHEN connected_at <= {old} THEN 'max_age' ELSE 'timeout' END WHERE status = 'active' AND protocol_session_id IN (SELECT protocol_session_id FROM picked) RETURNING protocol_session_id";
    pub(super) const CREATE: &str = "INSERT INTO archon_mcp_sessions (session_id, client_type, client_version, client_capabilities, connected_at, last_activity, user_id, user_email, user_name, metadata, principal, client_name, expires_at, boot) SELECT session_id, client_type, client_version, client_capabilities, connected_at, last_activity, user_id, user_email, user_name, metadata, principal, client_name, expires_at, boot FROM jsonb_populate_recordset(NULL::archon_mcp_sessions, '{rows}'::jsonb) AS j WHERE true ON CONFLICT DO NOTHING";
    pub(super) const BIND: &str = "UPDATE archon_mcp_protocol_sessions AS p SET session_id = j.session_id, called = TRUE FROM (SELECT * FROM jsonb_populate_recordset(NULL::archon_mcp_protocol_sessions, '{rows}'::jsonb) LIMIT jsonb_array_length('{rows}'::jsonb)) AS j WHERE p.protocol_session_id = j.protocol_session_id AND (p.session_id <> j.session_id OR NOT p.called)";
}

/// PostgreSQL alone: a SQLite file has one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_server_beside_a_newer_one_does_no_harm() {
    let Some(db) = Database::postgres() else { return };
    leave(&db, VERSIONS[0]);
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let [live, _] = clients(&db, VERSIONS[0]);
    let (protocol, archon) = (live[0]["protocol"].as_str().expect("an id"), live[0]["archon"].as_str().expect("an id"));
    let of_protocol = |column: &str| {
        db.value(&format!("SELECT {column} FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{protocol}'"))
    };
    // It uses a session: an hour from now, as it knows it. The connection keeps its month.
    let moments = db.rows("SELECT to_char(now() AT TIME ZONE 'UTC' + INTERVAL '2 seconds', 'YYYY-MM-DD HH24:MI:SS.MS+00'), to_char(now() AT TIME ZONE 'UTC' + INTERVAL '1 hour', 'YYYY-MM-DD HH24:MI:SS.MS+00')");
    let [used, hour] = [0, 1].map(|n| moments[0][n].clone().expect("a time"));
    let before = of_protocol("expires_at");
    let touch = json!([{"protocol_session_id": protocol, "session_id": archon, "last_activity": used, "expires_at": hour, "boot": 2}]);
    for statement in [statements::TOUCH_PROTOCOL, statements::TOUCH_ARCHON] {
        db.rows(&statement.replace("{rows}", &touch.to_string()));
    }
    assert_eq!(of_protocol("expires_at"), before, "a month, not an hour");
    assert_eq!(of_protocol(&format!("last_activity = '{used}'")), "t");
    // It makes the first Archon session of a client of the newer server.
    let session = Mcp::new(server.url()).initialize("2025-11-25").await;
    let reserved = session.archon.clone().expect("an id");
    let row = json!([{"session_id": reserved, "protocol_session_id": session.id, "client_type": "suite", "connected_at": used,
        "last_activity": used, "expires_at": hour, "principal": "", "boot": 2, "metadata": {}}]);
    for statement in [statements::CREATE, statements::BIND] {
        db.rows(&statement.replace("{rows}", &row.to_string()));
    }
    sleep(Duration::from_millis(1100)).await;
    let call = json!({"name": "test_echo", "arguments": {"text": "x"}});
    let answer = session.request("tools/call", call.clone()).await;
    assert_eq!(
        (answer.status, answer.header("x-archon-session-id")),
        (200, Some(reserved.as_str())),
        "{}",
        answer.text()
    );
    // It ends an Archon session whose time is over: alone, and the client of the newer server goes on.
    db.rows(&format!(
        "UPDATE archon_mcp_sessions SET expires_at = now() - INTERVAL '1 second' WHERE session_id = '{archon}'"
    ));
    for statement in [statements::REAP_ARCHON, statements::REAP_PROTOCOL] {
        db.rows(&statement.replace("{now}", "now()").replace("{old}", "'-infinity'::timestamptz"));
    }
    assert_eq!(db.value(&format!("SELECT status FROM archon_mcp_sessions WHERE session_id = '{archon}'")), "expired");
    assert_eq!(of_protocol("status"), "active");
    assert_ne!(of_protocol("session_id"), archon, "an id is reserved for the next one");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).to_string();
    let answer = Mcp::new(server.url()).post(&[("mcp-session-id", protocol)], body).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}
