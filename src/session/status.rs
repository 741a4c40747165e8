//! What a server says of itself: one shape for `/health`, `health_check` and `session_info`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Sessions;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sessions::SessionCounts;

/// A server at one moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The moment.
    pub now: Timestamp,
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
    /// Those of them that were not used within the session timeout.
    pub idle_connections: Option<i64>,
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

    /// The uptime at a moment at or after this status was taken.
    pub fn uptime_at(&self, now: Timestamp) -> Duration {
        self.uptime + now.since(self.now)
    }
}

impl Sessions {
    /// What `/health` says of this server: asks the database.
    pub async fn status(&self) -> Status {
        let (now, asked) = (self.clock.now(), Instant::now());
        let counts = self.session_counts().await.ok();
        Status {
            now,
            database_answers: counts.is_some(),
            database_time: asked.elapsed(),
            active_sessions: counts.map(|c| c.archon_active),
            protocol_sessions: counts.map(|c| c.protocol_active),
            idle_connections: counts.map(|c| c.protocol_idle),
            ..self.without_asking()
        }
    }

    /// What `/readyz` says: the same, but nothing is counted.
    pub async fn readiness(&self) -> Status {
        let (now, asked) = (self.clock.now(), Instant::now());
        let answers = self.store.ping().await.is_ok();
        let none_needed = answers.then_some(0);
        Status {
            now,
            database_answers: answers,
            database_time: asked.elapsed(),
            active_sessions: none_needed,
            protocol_sessions: none_needed,
            idle_connections: none_needed,
            ..self.without_asking()
        }
    }

    /// What is known of this server while the database has not answered yet.
    fn without_asking(&self) -> Status {
        Status {
            now: self.clock.now(),
            uptime: self.boot.started.elapsed(),
            boot_number: self.boot.begun.number,
            database_answers: !self.store.outage().is_on(),
            database_writable: self.store.takes_writes(),
            database_time: Duration::ZERO,
            active_sessions: None,
            protocol_sessions: None,
            idle_connections: None,
            recovered: u64::try_from(self.counters.recovered.load(Relaxed)).ok().and_then(|n| i64::try_from(n).ok()),
            last_cleanup: self.last_cleanup(),
            cleaned_up: self.counters.cleaned_up.load(Relaxed),
            draining: self.is_draining(),
        }
    }

    /// What the tools say of this server: about a second old at most, however many ask. Nobody waits for a database that
    /// is slow or gone: then it is the last status, as long as that is fit to be shown, or what is known without asking.
    pub async fn recent_status(self: &Arc<Self>) -> Status {
        let read = || {
            let sessions = self.clone();
            async move { sessions.status().await }
        };
        let recent = self.recent.recent(&self.clock, read).await;
        let known = self.without_asking();
        match recent {
            Some(status) => Status { database_writable: known.database_writable, draining: known.draining, ..status },
            None => known,
        }
    }

    /// The server is stopping: from now on every status says so.
    pub fn begin_draining(&self) {
        self.recent.begin_draining();
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.recent.is_draining()
    }

    /// How many sessions there are now.
    pub(super) async fn session_counts(&self) -> Result<SessionCounts, StoreError> {
        let now = self.clock.now();
        self.store.session_counts(now, now.minus(self.policy.timeout)).await
    }

    pub(super) fn last_cleanup(&self) -> Option<Timestamp> {
        match self.counters.last_cleanup.load(Relaxed) {
            0 => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
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
