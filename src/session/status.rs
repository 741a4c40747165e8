//! What a server says of itself: one shape for `/health`, `health_check` and `session_info`.

use std::time::Duration;

use serde::Serialize;

use crate::model::timestamp::Timestamp;
use crate::store::reports::standings::Living;

/// After this long, while the database takes no writes, it is not taken to answer.
const STALE: Duration = Duration::from_secs(10);

/// A server at one moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The moment at which the database was asked.
    pub now: Timestamp,
    /// How long ago that was.
    pub age: Duration,
    /// Since the process started (not since its first client).
    pub uptime: Duration,
    /// Which run this is of all that the database knows; 1 is the first.
    pub boot_number: i64,
    /// Whether the database answered just now.
    pub database_answers: bool,
    /// Whether it takes what we write.
    pub database_writable: bool,
    /// How long its answer took.
    pub database_time: Duration,
    /// Live Archon sessions; `None` when the store cannot tell.
    pub active_sessions: Option<i64>,
    /// Connections: live protocol sessions; `None` when the store cannot tell.
    pub protocol_sessions: Option<i64>,
    /// The same as `list` counts them: in use, and idle; `None` when the store cannot tell.
    pub connections: Option<Living>,
    /// Sessions that were live when this boot began; `None` until they are counted.
    pub recovered: Option<i64>,
    /// When the cleanup last ran in this boot.
    pub last_cleanup: Option<Timestamp>,
    /// How many sessions it has ended in this boot.
    pub cleaned_up: u64,
    /// Whether the server is stopping.
    pub draining: bool,
}

/// Whether a server can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All is well.
    Healthy,
    /// It answers, but is stopping or cannot tell everything.
    Degraded,
    /// Its database does not answer.
    Unhealthy,
}

impl Status {
    /// What it comes to.
    pub fn health(&self) -> Health {
        if !self.database_answers {
            Health::Unhealthy
        } else if !self.database_writable
            || self.draining
            || self.active_sessions.is_none()
            || self.protocol_sessions.is_none()
        {
            Health::Degraded
        } else {
            Health::Healthy
        }
    }

    /// What is known now, with what the database said when it was asked last.
    pub(super) fn with(self, asked: &Self) -> Self {
        Self {
            now: asked.now,
            age: asked.age,
            uptime: self.uptime.saturating_sub(asked.age),
            // A database that takes no writes may well answer; what it said long ago is no sign of it.
            database_answers: asked.database_answers && (asked.age < STALE || self.database_answers),
            database_time: asked.database_time,
            active_sessions: asked.active_sessions,
            protocol_sessions: asked.protocol_sessions,
            connections: asked.connections,
            ..self
        }
    }

    /// The uptime at a moment at or after this status was taken.
    pub fn uptime_at(&self, now: Timestamp) -> Duration {
        self.uptime + now.since(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_goes_by_the_database_first() {
        let well = Status {
            database_answers: true,
            database_writable: true,
            active_sessions: Some(0),
            protocol_sessions: Some(0),
            ..Status::default()
        };
        assert_eq!(well.health(), Health::Healthy);
        assert_eq!(Status { database_writable: false, ..well.clone() }.health(), Health::Degraded);
        assert_eq!(Status { draining: true, ..well.clone() }.health(), Health::Degraded);
        assert_eq!(Status { active_sessions: None, ..well.clone() }.health(), Health::Degraded);
        assert_eq!(Status { database_answers: false, ..well }.health(), Health::Unhealthy);
    }
}
