//! What this server says of itself: by asking the database, or by what is known without.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Sessions;
use super::recent::WaitLimits;
use super::status::Status;
use super::supervisor::Stopping;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::standings::Living;
use crate::store::sessions::SessionCounts;

/// How long a request for the status waits for a new one.
const QUICK: WaitLimits = WaitLimits { slow: Duration::from_millis(5), quick: Duration::from_millis(250) };
/// The same of a probe, which is to hear the truth of now: the store gives up before.
const TRUE: WaitLimits = WaitLimits { slow: Duration::from_secs(5), quick: Duration::from_secs(5) };
/// How long counting may take besides; reports for people may take longer.
const COUNTING: Duration = Duration::from_secs(3);
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
