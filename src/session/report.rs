//! What this server says of itself: by asking the database, or by what is known without.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::Sessions;
use super::status::Status;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sessions::SessionCounts;

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
