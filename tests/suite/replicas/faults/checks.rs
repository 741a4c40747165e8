//! What holds when all is quiet again.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::ledger::locked;
use super::{HONOURED, SERVERS, Scene, breaking, clients, is_long};
use crate::databases::Database;
use crate::process::archonctl;

/// A boot that is dead without a word is taken for dead, and its rows are counted.
const BURIED: Duration = Duration::from_mins(1);
/// The same where its place on this machine is taken by another.
const BURIED_BY_THE_NEXT: Duration = Duration::from_secs(3);

const CALLS: &str = "SELECT session_id, protocol_session_id, COUNT(*) AS calls, COUNT(*) FILTER (WHERE status <> 'success') AS errors, \
     SUM(prompt_tokens) AS prompt, SUM(completion_tokens) AS completion FROM archon_mcp_requests WHERE tool_name IS NOT NULL GROUP BY 1, 2";

/// Sessions of a kind whose counters are not the sums of their rows.
fn wrong_counters(table: &str, id: &str) -> String {
    format!(
        "SELECT COUNT(*) FROM {table} s LEFT JOIN (SELECT {id}, SUM(calls) AS calls, SUM(errors) AS errors, \
             SUM(prompt) AS prompt, SUM(completion) AS completion FROM ({CALLS}) c GROUP BY 1) r ON r.{id} = s.{id} \
         WHERE (s.calls, s.errors, s.prompt_tokens, s.completion_tokens) IS DISTINCT FROM \
             (COALESCE(r.calls, 0), COALESCE(r.errors, 0), COALESCE(r.prompt, 0), COALESCE(r.completion, 0))"
    )
}

/// What a row is summed under. Methods that MCP does not have share a name in the sums.
const NAMES: &str = "CASE WHEN method IN ('initialize', 'ping', 'tools/call', 'tools/list', '(other)') THEN method ELSE '(other)' END, \
     COALESCE(tool_name, ''), status";

/// Sums by a span of time that are not those of the rows.
fn wrong_rollups(table: &str, span: &str, keys: &str, rows: &str) -> String {
    let sums = "SUM(calls), SUM(duration_us), SUM(COALESCE(prompt_tokens, 0)), SUM(COALESCE(completion_tokens, 0))";
    format!(
        "SELECT COUNT(*) FROM ((SELECT {span} AT TIME ZONE 'UTC', {keys}, {sums} FROM {table} GROUP BY {span}, {keys}) EXCEPT \
         (SELECT date_trunc('{span}', timestamp AT TIME ZONE 'UTC') AS at, {keys}, {sums} \
          FROM (SELECT *, 1 AS calls FROM archon_mcp_requests WHERE {rows}) r GROUP BY at, {keys})) wrong"
    )
}

/// Everything that sums over rows, each with what counts its mistakes.
fn sums(up: usize) -> Vec<String> {
    vec![
        wrong_counters("archon_mcp_sessions", "session_id"),
        wrong_counters("archon_mcp_protocol_sessions", "protocol_session_id"),
        wrong_rollups("archon_mcp_rollups", "minute", NAMES, "TRUE"),
        wrong_rollups("archon_mcp_rollups_daily", "day", NAMES, "TRUE"),
        wrong_rollups("archon_mcp_rollups_hourly", "hour", "status", "tool_name IS NOT NULL"),
        "SELECT COUNT(*) FROM (SELECT (SELECT SUM(calls) FROM archon_mcp_rollups) - (SELECT COUNT(*) FROM archon_mcp_requests) \
         AS missing) s WHERE missing <> 0"
            .to_owned(),
        // Those of the servers that are up, and no other.
        format!("SELECT COUNT(*) - {up} FROM archon_mcp_boots WHERE ended_at IS NULL"),
    ]
}

/// What must not be there, once all is quiet: each counts it.
const MISTAKES: [(&str, &str); 7] = [
    (
        "ends that lack something",
        "SELECT COUNT(*) FROM (SELECT disconnected_at, total_duration, disconnect_reason, ended_by FROM archon_mcp_sessions \
         WHERE status <> 'active' UNION ALL SELECT disconnected_at, total_duration, disconnect_reason, ended_by \
         FROM archon_mcp_protocol_sessions WHERE status <> 'active') s \
         WHERE disconnected_at IS NULL OR total_duration IS NULL OR disconnect_reason IS NULL OR ended_by IS NULL",
    ),
    (
        "connections that have not ended once",
        "SELECT COUNT(*) FROM archon_mcp_protocol_sessions p WHERE (status <> 'active')::int <> \
         (SELECT COUNT(*) FROM archon_mcp_session_events e WHERE e.kind = 'ended' AND e.protocol_session_id = p.protocol_session_id)",
    ),
    (
        "Archon sessions that have not ended once",
        "SELECT COUNT(*) FROM archon_mcp_sessions s WHERE (status <> 'active')::int <> \
         (SELECT COUNT(*) FROM archon_mcp_session_events e WHERE e.kind = 'ended' AND e.session_id = s.session_id \
          AND e.protocol_session_id IS NULL)",
    ),
    (
        "live Archon sessions of ended connections",
        "SELECT COUNT(*) FROM archon_mcp_sessions s WHERE s.status = 'active' \
         AND EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions p WHERE p.session_id = s.session_id AND p.status <> 'active') \
         AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions p WHERE p.session_id = s.session_id AND p.status = 'active')",
    ),
    (
        "live connections of ended Archon sessions",
        "SELECT COUNT(*) FROM archon_mcp_protocol_sessions p JOIN archon_mcp_sessions s USING (session_id) \
         WHERE p.status = 'active' AND s.status <> 'active'",
    ),
    (
        "dead boots without a cause",
        "SELECT COUNT(*) FROM archon_mcp_boots WHERE ended_at IS NOT NULL AND end_cause IS NULL",
    ),
    (
        "rows of no connection",
        "SELECT COUNT(*) FROM archon_mcp_requests WHERE protocol_session_id IS NULL OR boot IS NULL OR seq IS NULL",
    ),
];

/// Everything, in the order in which a fault is told best.
pub(super) async fn all_is_well(scene: &Scene, rng: &mut Rng) {
    let quiet = Instant::now();
    until_sums_are_right(scene, SERVERS, quiet + BURIED).await;
    println!("sums are right {:?} after the last fault", quiet.elapsed());
    a_killed_server_is_counted(scene, rng).await;
    println!("PostgreSQL said: {}", complaints(&scene.cluster.log()));

    sleep(HONOURED).await;
    for some in scene.ledger.all().chunks(16) {
        join_all(some.iter().map(|known| clients::roll_call(scene, known))).await;
    }
    for (what, sql) in MISTAKES {
        let count = scene.db.value(sql);
        if count != "0" {
            scene.ledger.is_broken(format!("{count} {what}"));
        }
    }
    calls_have_their_rows(scene);
    names_have_their_rows(scene);
    projects_are_made_once(scene);
    boots_are_the_servers(scene).await;
    totals_are_told(scene);
    for server in &scene.servers {
        breaking::look_at(scene, &*server.lock().await);
    }
    let deadlocks = scene.cluster.log().lines().filter(|line| line.contains("deadlock detected")).count();
    if deadlocks > 0 {
        scene.ledger.is_broken(format!("{deadlocks} deadlocks:\n{}", around_deadlocks(&scene.cluster.log())));
    }
    scene.ledger.assert_whole();
}

/// With so many servers up.
async fn until_sums_are_right(scene: &Scene, up: usize, deadline: Instant) {
    loop {
        let mistakes: Vec<_> = sums(up).into_iter().map(|sql| (scene.db.value(&sql), sql)).collect();
        if mistakes.iter().all(|(count, _)| count == "0") {
            return;
        }
        if Instant::now() > deadline {
            for (count, sql) in mistakes.iter().filter(|(count, _)| count != "0") {
                scene.ledger.is_broken(format!("{count} from {sql}"));
            }
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A killed server is counted by the others, and at once by the next in its place.
async fn a_killed_server_is_counted(scene: &Scene, rng: &mut Rng) {
    let n = rng.usize(..SERVERS);
    let mut server = scene.servers[n].lock().await;
    // The others take their time.
    let stays_away = if is_long() { vec![true, false] } else { vec![false] };
    for stays_away in stays_away {
        clients::call_at(scene, n, 50, rng).await;
        server.sigkill();
        if stays_away {
            until_sums_are_right(scene, SERVERS - 1, Instant::now() + BURIED).await;
        }
        breaking::start_again(scene, n, &mut server).await;
        until_sums_are_right(scene, SERVERS, Instant::now() + BURIED_BY_THE_NEXT).await;
    }
}

fn calls_have_their_rows(scene: &Scene) {
    let rows = scene
        .db
        .rows("SELECT protocol_session_id, COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'test_echo' GROUP BY 1");
    let rows: std::collections::HashMap<_, _> = rows.iter().map(|row| (row[0].as_deref(), row[1].as_deref())).collect();
    for known in scene.ledger.all() {
        let stored = rows.get(&Some(known.id.as_str())).copied().flatten().unwrap_or("0");
        let promised = known.promised.load(Relaxed);
        let possible = promised..=promised + known.in_doubt.load(Relaxed);
        if !possible.contains(&stored.parse().expect("a count")) {
            scene.ledger.is_broken(format!("{}: {stored} rows, but {possible:?} were promised", known.id));
        }
    }
}

/// Names that do not appear as often as they may.
fn wrong(db: &Database, sql: &str, wanted: &[(String, bool)]) -> Vec<String> {
    let found = db.rows(sql);
    let count = |name: &str| found.iter().filter(|row| row[0].as_deref() == Some(name)).count();
    let is_wrong = |(name, is_promised): &&(String, bool)| count(name) > 1 || (*is_promised && count(name) == 0);
    wanted.iter().filter(is_wrong).map(|(name, _)| format!("{name}: {}", count(name))).collect()
}

fn names_have_their_rows(scene: &Scene) {
    let sql = "SELECT method FROM archon_mcp_requests WHERE method LIKE 'test/%'";
    let wrong = wrong(&scene.db, sql, &locked(&scene.ledger.named));
    if !wrong.is_empty() {
        scene.ledger.is_broken(format!("rows, each of which should be there once: {wrong:?}"));
    }
}

fn projects_are_made_once(scene: &Scene) {
    let wrong = wrong(&scene.db, "SELECT title FROM archon_projects", &locked(&scene.ledger.projects));
    if !wrong.is_empty() {
        scene.ledger.is_broken(format!("projects, each of which should be there once: {wrong:?}"));
    }
}

async fn boots_are_the_servers(scene: &Scene) {
    let mut pids = BTreeSet::new();
    for server in &scene.servers {
        pids.insert(server.lock().await.pid().to_string());
    }
    let rows = scene.db.rows("SELECT pid FROM archon_mcp_boots WHERE ended_at IS NULL");
    let up: BTreeSet<_> = rows.into_iter().filter_map(|mut row| row.remove(0)).collect();
    if up != pids {
        scene.ledger.is_broken(format!("boots that are up: {up:?}, servers: {pids:?}"));
    }
    println!(
        "boots: {}",
        scene.db.value(
            "SELECT string_agg(cause || ' ' || n, ', ') FROM \
             (SELECT COALESCE(end_cause, 'up') AS cause, COUNT(*) AS n FROM archon_mcp_boots GROUP BY 1) b"
        )
    );
}

/// What the operator is told is what the rows say.
fn totals_are_told(scene: &Scene) {
    let mut stats = archonctl(scene.db.folder());
    stats.args(["stats", "--json", "--database-url", &scene.url]);
    let output = stats.output().expect("archonctl stats");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    let rows = scene.db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name IS NOT NULL");
    let told = &told["total"]["calls"];
    if told.as_u64() != rows.parse().ok() {
        scene.ledger.is_broken(format!("{rows} rows of calls, but stats tells {told}"));
    }
}

/// What went wrong in the eyes of PostgreSQL, by kind.
fn complaints(log: &str) -> super::ledger::Counts {
    let counts = super::ledger::Counts::default();
    for line in log.lines() {
        for level in [" ERROR:  ", " FATAL:  ", " PANIC:  "] {
            if let Some((_, what)) = line.split_once(level) {
                counts.add(format!("{:?}", what.chars().take(70).collect::<String>()));
            }
        }
    }
    counts
}

fn around_deadlocks(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let at = lines.iter().enumerate().filter(|(_, line)| line.contains("deadlock detected")).take(3);
    at.map(|(n, _)| lines[n..(n + 14).min(lines.len())].join("\n")).collect::<Vec<_>>().join("\n…\n")
}
