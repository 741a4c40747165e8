//! Operators at work meanwhile: the program's own `expire`, and statements that somebody types into `psql`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::time::sleep;

use super::Scene;
use super::ledger::{Known, Life};
use crate::process::archonctl;

/// Between two of somebody's actions.
const PAUSE: Duration = Duration::from_millis(700);

async fn pause(rng: &mut Rng) {
    sleep(PAUSE.mul_f64(rng.f64() * 2.0)).await;
}

/// Some live sessions, which are about to be ended.
pub(super) fn victims(scene: &Scene, rng: &mut Rng) -> Vec<Arc<Known>> {
    let mut victims: Vec<Arc<Known>> = Vec::new();
    for _ in 0..rng.usize(1..=3) {
        if let Some(known) = scene.ledger.any(rng, |life| life == Life::Live) {
            known.may_end();
            victims.push(known);
        }
    }
    victims
}

/// Runs `archonctl expire`.
pub(super) async fn expire(scene: Arc<Scene>, mut rng: Rng) {
    while !scene.is_done.load(Relaxed) {
        pause(&mut rng).await;
        let victims = victims(&scene, &mut rng);
        if victims.is_empty() {
            continue;
        }
        let mut command = archonctl(scene.db.folder());
        command.args(["expire", "--reason", "random", "--database-url", &scene.url]);
        command.args(victims.iter().map(|known| &known.id));
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it ran");
        scene.ledger.answers.add(format!("expire: {}", output.status.code().unwrap_or(-1)));
        match output.status.code() {
            Some(0) => victims.iter().for_each(|known| known.has_ended()),
            // The database was away, or somebody was faster.
            Some(4 | 6) => {}
            code => scene.ledger.is_broken(format!("expire: {code:?} {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

const NOTHING: &str = "UPDATE archon_mcp_sessions SET user_name = 'bob' WHERE FALSE";

/// What somebody types, and whose end that is.
pub(super) struct Typed {
    sql: String,
    victims: Vec<Arc<Known>>,
}

impl Typed {
    pub(super) fn any(scene: &Scene, rng: &mut Rng) -> Self {
        match rng.u32(..10) {
            0 | 1 => Self::ends_of(scene, rng, "archon_mcp_sessions", "status = 'disconnected'"),
            2 | 3 => Self::ends_of(scene, rng, "archon_mcp_protocol_sessions", "status = 'disconnected'"),
            4 => Self::end_for_time(scene, rng),
            5 => Self::removal(scene, rng),
            6 | 7 => Self::of(
                "UPDATE archon_mcp_sessions SET user_name = 'bob' WHERE session_id IN \
                 (SELECT session_id FROM archon_mcp_sessions ORDER BY random() LIMIT 50)",
            ),
            _ => Self::of(
                "UPDATE archon_mcp_protocol_sessions SET client_name = 'x' WHERE protocol_session_id IN \
                 (SELECT protocol_session_id FROM archon_mcp_protocol_sessions ORDER BY random() LIMIT 50)",
            ),
        }
    }

    /// Some ends, and what locks those rows before.
    pub(super) fn after_its_lock(scene: &Scene, rng: &mut Rng) -> (Option<Self>, Option<String>) {
        let (table, id) = ("archon_mcp_sessions", "session_id");
        let typed = Self::ends_of(scene, rng, table, "status = 'disconnected'");
        let ids = quoted(typed.victims.iter().map(|known| known.id.as_str()));
        let lock = format!("SELECT {id} FROM {table} WHERE protocol_session_id IN ({ids}) ORDER BY {id} FOR UPDATE");
        (Some(typed), Some(lock))
    }

    fn of(sql: &str) -> Self {
        Self { sql: format!("{sql} RETURNING NULL"), victims: Vec::new() }
    }

    fn ends_of(scene: &Scene, rng: &mut Rng, table: &str, end: &str) -> Self {
        let victims = victims(scene, rng);
        let ids = quoted(victims.iter().map(|known| known.id.as_str()));
        let sql = format!(
            "UPDATE {table} SET {end} WHERE protocol_session_id IN ({ids}) AND status = 'active' \
             RETURNING protocol_session_id"
        );
        Self { sql, victims }
    }

    /// The guide's own: the Archon session ends alone.
    fn end_for_time(scene: &Scene, rng: &mut Rng) -> Self {
        let Some(known) = scene.ledger.any(rng, |life| life == Life::Live) else { return Self::of(NOTHING) };
        known.is_renewed.store(true, Relaxed);
        let archon = &known.archon;
        Self::of(&format!(
            "UPDATE archon_mcp_sessions SET status = 'expired', disconnected_at = NOW(), disconnect_reason = 'timeout' \
             WHERE session_id = '{archon}' AND status = 'active'"
        ))
    }

    /// Rows of connections that have ended: whoever is not known any more is refused all the same.
    fn removal(scene: &Scene, rng: &mut Rng) -> Self {
        let ended: Vec<_> =
            (0..3).filter_map(|_| scene.ledger.any(rng, |life| matches!(life, Life::Ended(_)))).collect();
        let ids = quoted(ended.iter().map(|known| known.id.as_str()));
        Self::of(&format!(
            "DELETE FROM archon_mcp_protocol_sessions WHERE protocol_session_id IN ({ids}) AND status <> 'active'"
        ))
    }

    /// Types it. What it ended is known by [`Self::is_committed`] then.
    pub(super) async fn execute(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let rows = connection.fetch_all(AssertSqlSafe(&*self.sql)).await?;
        let ended = |id: &str| rows.iter().any(|row| row.try_get::<&str, _>(0).is_ok_and(|ended| ended == id));
        self.victims.retain(|known| ended(&known.id));
        Ok(())
    }

    pub(super) fn is_committed(&self) {
        self.victims.iter().for_each(|known| known.has_ended());
    }
}

fn quoted<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    // No list is empty.
    ids.map(|id| format!("'{id}'")).chain(["''".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// Types statements, each a transaction of its own.
pub(super) async fn type_by_hand(scene: Arc<Scene>, mut rng: Rng) {
    let mut connection = None;
    while !scene.is_done.load(Relaxed) {
        pause(&mut rng).await;
        let Some(awake) = &mut connection else {
            connection = PgConnection::connect(scene.db.url()).await.ok();
            continue;
        };
        let _alone = scene.hand.lock().await;
        let mut typed = Typed::any(&scene, &mut rng);
        match typed.execute(awake).await {
            Ok(()) => typed.is_committed(),
            Err(error) => {
                scene.ledger.answers.add(format!("typed: {}", kind_of(&error)));
                connection = None;
            }
        }
    }
}

fn kind_of(error: &sqlx::Error) -> String {
    error.as_database_error().map_or("no answer".to_owned(), |error| error.message().to_owned())
}
