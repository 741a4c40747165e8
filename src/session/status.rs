//! What a server says of itself: one shape for `/health`, `health_check` and `session_info`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::timeout;

use super::Sessions;
use super::recent::Patience;
use super::supervisor::Stopping;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::standings::Living;
use crate::store::sessions::SessionCounts;

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
    fn with(self, asked: &Self) -> Self {
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

/// How long a request for the status waits for a new one.
const QUICK: Patience = Patience { slow: Duration::from_millis(5), quick: Duration::from_millis(250) };
/// The same of a probe, which is to hear the truth of now: the store gives up before.
const TRUE: Patience = Patience { slow: Duration::from_secs(5), quick: Duration::from_secs(5) };
/// How long counting may take besides; reports for people may take longer.
const COUNTING: Duration = Duration::from_secs(3);
/// After this long, while the database takes no writes, it is not taken to answer.
const STALE: Duration = Duration::from_secs(10);
/// A status is kept fresh this often …
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// … as long as somebody has asked in this time.
const ASKED_LATELY: Duration = Duration::from_mins(2);

impl Sessions {
    /// What `/readyz` says: nothing is counted.
    pub async fn readiness(self: &Arc<Self>) -> Status {
        let read = || {
            let sessions = self.clone();
            async move { sessions.ask_whether_it_answers().await }
        };
        let asked = self.ready.recent(TRUE, read).await;
        let known = self.without_asking();
        match asked {
            Some(status) => known.with(&status),
            None => Status { database_answers: false, ..known },
        }
    }

    async fn ask_whether_it_answers(&self) -> Status {
        let asked = Instant::now();
        let answers = self.store.ping().await.is_ok();
        let none_needed = answers.then_some(0);
        Status {
            database_answers: answers,
            database_time: asked.elapsed(),
            active_sessions: none_needed,
            protocol_sessions: none_needed,
            ..self.without_asking()
        }
    }

    /// Asks the database, and counts.
    pub(super) async fn count(self: Arc<Self>) -> Status {
        let asked = Instant::now();
        let counts = self.session_counts().await.ok();
        let database_time = asked.elapsed();
        let now = self.clock.now();
        let connections = match counts {
            Some(_) => timeout(COUNTING, self.living(now)).await.ok().and_then(Result::ok),
            None => None,
        };
        Status {
            now,
            database_answers: counts.is_some(),
            database_time,
            active_sessions: counts.map(|c| c.archon_active),
            protocol_sessions: counts.map(|c| c.protocol_active),
            connections,
            ..self.without_asking()
        }
    }

    async fn living(&self, now: Timestamp) -> Result<Living, StoreError> {
        self.store.living_connections(&self.store.moment(now).await?).await
    }

    /// What is known of this server without asking the database.
    fn without_asking(&self) -> Status {
        Status {
            now: self.clock.now(),
            age: Duration::ZERO,
            uptime: self.boot.started.elapsed(),
            boot_number: self.boot.begun.number,
            database_answers: !self.store.outage().is_on(),
            database_writable: self.store.takes_writes(),
            database_time: Duration::ZERO,
            active_sessions: None,
            protocol_sessions: None,
            connections: None,
            recovered: u64::try_from(self.counters.recovered.load(Relaxed)).ok().and_then(|n| i64::try_from(n).ok()),
            last_cleanup: self.last_cleanup(),
            cleaned_up: self.counters.cleaned_up.load(Relaxed),
            draining: self.is_draining(),
        }
    }

    /// What this server says of itself. Counts are new ones where counting takes no time, and the last ones, with their age,
    /// where it does: nobody waits for a database that is large, slow or gone.
    pub async fn status(self: &Arc<Self>) -> Status {
        let asked = self.recent.recent(QUICK, || self.clone().count()).await;
        let known = self.without_asking();
        match asked {
            Some(status) => known.with(&status),
            None => known,
        }
    }

    /// Counts now and then as long as somebody asks, so that who asks rarely gets no old counts either.
    pub(super) async fn keep_status_fresh(self: Arc<Self>, stopping: Stopping) {
        while stopping.or(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            if self.recent.is_asked(ASKED_LATELY) {
                self.recent.refresh(|| self.clone().count());
            }
        }
    }

    /// The server is stopping: from now on every status says so.
    pub fn begin_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
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
