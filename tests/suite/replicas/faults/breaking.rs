//! What goes wrong, at random: servers and the database are killed, stopped and frozen, somebody holds locks. Whatever is
//! broken is put right, too.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::MutexGuard;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::operators::Typed;
use super::weather::Place;
use super::{ARGUMENTS, SERVERS, SOON, Scene, is_long};
use crate::process::ServeProcess;

/// Every so often nothing is broken for so long that all can be told to be well.
const REST: Duration = Duration::from_secs(7);
/// A supervisor starts a server again that has ended in its start.
const AGAIN: Duration = Duration::from_millis(200);

/// From one to that many seconds.
fn seconds(rng: &mut Rng, most: f64) -> Duration {
    Duration::from_secs_f64(1.0 + rng.f64() * (most - 1.0))
}

/// The longest faults, in seconds: servers that are stopped, and a database that is frozen or locked.
fn longest() -> (f64, f64) {
    if is_long() { (8.0, 6.0) } else { (3.0, 2.5) }
}

async fn rest(rng: &mut Rng) {
    let is_quiet = is_long() && rng.u32(..5) == 0;
    sleep(if is_quiet { REST } else { Duration::from_secs_f64(0.2 + rng.f64() * 2.0) }).await;
}

/// Kills servers, stops them in order, freezes them; one at a time.
pub(super) async fn servers(scene: Arc<Scene>, mut rng: Rng, until: Instant) {
    while Instant::now() < until {
        rest(&mut rng).await;
        let n = rng.usize(..SERVERS);
        // One that is frozen for long stays so.
        let Ok(server) = scene.servers[n].try_lock() else { continue };
        match rng.u32(..10) {
            0..4 => replace(&scene, n, server, true).await,
            4..7 => replace(&scene, n, server, false).await,
            _ => {
                scene.blows.add("freeze a server");
                freeze(&scene, n, server, seconds(&mut rng, longest().0)).await;
            }
        }
    }
}

/// Freezes a server for so long that the others take it for dead.
pub(super) async fn freeze_for_long(scene: Arc<Scene>, mut rng: Rng, until: Instant) {
    while is_long() {
        sleep(Duration::from_secs(5 + rng.u64(..40))).await;
        let time = Duration::from_secs(50 + rng.u64(..20));
        if Instant::now() + time > until {
            return;
        }
        let n = rng.usize(..SERVERS);
        let server = scene.servers[n].lock().await;
        scene.blows.add("freeze a server for long");
        freeze(&scene, n, server, time).await;
    }
}

async fn freeze(scene: &Scene, n: usize, server: MutexGuard<'_, ServeProcess>, time: Duration) {
    let _storm = scene.weather.storm(Place::Server(n));
    server.signal("STOP");
    sleep(time).await;
    server.signal("CONT");
}

/// Ends a server, and starts it again as a supervisor does.
async fn replace(scene: &Scene, n: usize, mut server: MutexGuard<'_, ServeProcess>, is_killed: bool) {
    let began = Instant::now();
    scene.blows.add(if is_killed { "kill a server" } else { "stop a server" });
    let was_well = scene.weather.is_database_well(began);
    let _storm = scene.weather.storm(Place::Server(n));
    if is_killed {
        server.sigkill();
    } else {
        server.sigterm();
        let status = server.ended(SOON).await;
        if !status.success() && was_well && scene.weather.is_database_well(began) {
            scene.ledger.is_broken(format!("a stop in order: {status}"));
        }
    }
    look_at(scene, &server);
    let tries = start_again(scene, n, &mut server).await;
    if tries == 1 && was_well && scene.weather.is_database_well(began) {
        let wanted = format!(r#""previous_end":"{}""#, if is_killed { "crash" } else { "clean" });
        let line = server.wait_for_line("previous_end", SOON).await;
        scene.blows.add("(a next start that tells of it)");
        if !line.contains(&wanted) {
            scene.ledger.is_broken(format!("not {wanted}: {line}"));
        }
    }
}

/// Starts a server at its old address; returns how often that was tried.
pub(super) async fn start_again(scene: &Scene, n: usize, server: &mut ServeProcess) -> usize {
    for tries in 1.. {
        let started = ServeProcess::try_restart_on(&scene.url, &scene.addresses[n], &scene.db, &ARGUMENTS).await;
        if let Some(started) = started {
            *server = started;
            scene.restarts.fetch_add(1, Relaxed);
            return tries;
        }
        sleep(AGAIN).await;
    }
    unreachable!("it goes on until it starts")
}

/// What an ended server has left in its log.
pub(super) fn look_at(scene: &Scene, server: &ServeProcess) {
    for line in server.lines() {
        if line.contains("panic") {
            scene.ledger.is_broken(line);
        } else if line.contains("\"ERROR\"") && !line.contains("the database takes no writes") {
            scene.ledger.answers.add(format!("ERROR {}", message_of(&line)));
        }
    }
}

fn message_of(line: &str) -> String {
    let fields = serde_json::from_str::<serde_json::Value>(line).unwrap_or_default();
    let message = fields["fields"]["message"].as_str().or(fields["message"].as_str());
    message.unwrap_or(line).chars().take(80).collect()
}

/// Kills and freezes the database, and holds locks in it; one at a time.
pub(super) async fn database(scene: Arc<Scene>, mut rng: Rng, until: Instant) {
    while Instant::now() < until {
        rest(&mut rng).await;
        let _storm = scene.weather.storm(Place::Database);
        let time = seconds(&mut rng, longest().1);
        match rng.u32(..12) {
            0 => outage(&scene, "kill PostgreSQL", time, |scene| scene.cluster.kill()).await,
            1 => outage(&scene, "stop PostgreSQL", time, |scene| scene.cluster.pause()).await,
            2..5 => {
                scene.blows.add("freeze PostgreSQL");
                block_in_place(|| scene.cluster.freeze());
                sleep(time).await;
                block_in_place(|| scene.cluster.thaw());
            }
            _ => hold(&scene, &mut rng, time).await,
        }
    }
}

async fn outage(scene: &Scene, name: &str, time: Duration, end: impl FnOnce(&Scene)) {
    scene.blows.add(name);
    block_in_place(|| end(scene));
    // Most are short: whoever waits for longer has given up.
    sleep(time / 2).await;
    block_in_place(|| scene.cluster.resume());
}

/// Somebody begins a transaction, and goes for a coffee before its end.
async fn hold(scene: &Scene, rng: &mut Rng, time: Duration) {
    let (mut typed, lock) = match rng.u32(..9) {
        0..3 => (None, Some(table(scene, rng))),
        3..5 => (None, Some(rows(scene, rng))),
        5 => Typed::after_its_lock(scene, rng),
        _ => (Some(Typed::any(scene, rng)), None),
    };
    // Two people who lock rows and then ask for the triggers' lock are in each other's way by themselves.
    let _alone = if typed.is_some() && lock.is_some() { Some(scene.hand.lock().await) } else { None };
    if typed.is_some() {
        scene.blows.add("hold what was typed");
    }
    let held = async {
        let mut connection = PgConnection::connect(scene.db.url()).await?;
        connection.execute("BEGIN").await?;
        if let Some(lock) = lock {
            connection.execute(AssertSqlSafe(lock)).await?;
            sleep(time / 2).await;
        }
        if let Some(typed) = &mut typed {
            typed.execute(&mut connection).await?;
        }
        sleep(time / 2).await;
        connection.execute("COMMIT").await?;
        Ok::<_, sqlx::Error>(())
    };
    match held.await {
        Ok(()) => typed.iter().for_each(Typed::is_committed),
        Err(error) => scene.ledger.is_broken(format!("somebody who holds a lock was refused: {error}")),
    }
}

fn table(scene: &Scene, rng: &mut Rng) -> String {
    let tables = [
        "archon_mcp_sessions",
        "archon_mcp_protocol_sessions",
        "archon_mcp_requests",
        "archon_mcp_boots",
        "archon_mcp_session_events",
        "archon_mcp_rollups",
        "archon_projects",
    ];
    let mode = ["ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE"][rng.usize(..3)];
    scene.blows.add(format!("hold a table ({mode})"));
    format!("LOCK TABLE {} IN {mode} MODE", tables[rng.usize(..tables.len())])
}

fn rows(scene: &Scene, rng: &mut Rng) -> String {
    scene.blows.add("hold rows");
    let tables = [
        ("archon_mcp_sessions", "session_id"),
        ("archon_mcp_protocol_sessions", "protocol_session_id"),
        ("archon_mcp_boots", "number"),
    ];
    let (table, id) = tables[rng.usize(..tables.len())];
    format!(
        "SELECT {id} FROM {table} WHERE {id} IN (SELECT {id} FROM {table} ORDER BY random() LIMIT 10) \
         ORDER BY {id} FOR UPDATE"
    )
}
