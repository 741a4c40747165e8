//! What a server does besides answering: owned by the server, from before the first client until after the last.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::timeout;

use super::Sessions;
use super::supervisor::{Stopping, Supervisor};
use crate::model::boot::{Confidence, End, EndCause};
use crate::store::sessions::News;
use crate::store::{Broken, StoreError, Work};

/// Touches and sums are written this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// A cleanup that failed is tried again after this long, if the interval is not shorter.
const CLEANUP_RETRY: Duration = Duration::from_secs(5);
/// How often a cleanup that waits for calm looks.
const CALM_LOOK: Duration = Duration::from_millis(500);
/// After a failed look at the ends.
const FEED_RETRY: Duration = Duration::from_secs(1);
/// Idle sessions leave memory this often.
const EVICT_EVERY: Duration = Duration::from_secs(30);

/// How long background work may take to end when the server stops: a database that hangs must not hold the stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How long it tries to say why it ends when it broke.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Sessions {
    /// Starts the background work. It ends with [`Self::stop`].
    pub fn start_housekeeping(self: &Arc<Self>) {
        if self.policy.cleanup_interval > self.policy.timeout {
            tracing::warn!(
                interval = ?self.policy.cleanup_interval, timeout = ?self.policy.timeout,
                "the cleanup interval is longer than the session timeout: lists show ended sessions as live"
            );
        }
        tracing::info!("Starting background session cleanup (interval: {}s)", self.policy.cleanup_interval.as_secs());
        self.start_clock();
        let work = &self.supervisor;
        work.once("recover", self.clone().recover());
        // Each may begin anew at any time: what it knows stands in the sessions and in the database.
        let sessions = self.clone();
        work.keep("flush", move |stopping| sessions.clone().flush_every_second(stopping));
        let sessions = self.clone();
        work.keep("heartbeat", move |stopping| sessions.clone().beat(stopping));
        let sessions = self.clone();
        work.keep("cleanup", move |stopping| sessions.clone().clean_up_regularly(stopping));
        let sessions = self.clone();
        work.keep("pulse", move |stopping| sessions.clone().keep_busy_alive(stopping));
        let sessions = self.clone();
        work.keep("status", move |stopping| sessions.clone().keep_status_fresh(stopping));
        let sessions = self.clone();
        work.keep("space", move |stopping| sessions.clone().watch_space(stopping));
        let sessions = self.clone();
        work.keep("follow news", move |stopping| sessions.clone().follow_news(stopping));
    }

    /// The owner of the background work, for more of it.
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Returns when something has ended without which no row is written any more. All that is left then is to end the
    /// process, as a crash would: the next start has every acknowledged row.
    pub async fn broken(&self) -> Broken {
        self.store.broken().await
    }

    /// Says how many sessions are there, and finishes what the boot before left. Nobody waits for it.
    async fn recover(self: Arc<Self>) {
        let (began, status) = (tokio::time::Instant::now(), self.clone().count().await);
        if let Some(count) = status.protocol_sessions {
            self.counters.recovered.store(count, Relaxed);
            match count {
                0 => tracing::info!("No active sessions to recover from database"),
                n => tracing::info!("Recovered {n} active sessions from database after restart"),
            }
        } else {
            tracing::warn!("the sessions to recover cannot be counted now");
        }
        self.recent.keep(began, status);
        report("finishing the sums of the boot before", self.fold_dead_boots().await);
        report("crediting the downtime to sessions", self.recover_credit().await);
    }

    async fn flush_every_second(self: Arc<Self>, stopping: Stopping) {
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since_eviction = Duration::ZERO;
        while stopping.or(ticks.tick()).await.is_some() {
            // What fails is kept for the next time; the store has noted it. Touches of a time that something happened to
            // are written when that is recorded.
            if self.is_settled() {
                _ = self.flush().await;
            }
            self.limits.log_reached();
            self.log_refusals();
            since_eviction += FLUSH_EVERY;
            if since_eviction >= EVICT_EVERY {
                since_eviction = Duration::ZERO;
                self.evict_idle();
                self.forget_quiet_addresses();
            }
        }
    }

    async fn clean_up_regularly(self: Arc<Self>, stopping: Stopping) {
        let mut due = self.clock.elapsed() + self.policy.cleanup_interval;
        while stopping.or(self.calm_at(due)).await.is_some() {
            // Counted from its beginning: what a cleanup takes, and what the clock does meanwhile, puts off none.
            due = self.clock.elapsed() + self.policy.cleanup_interval;
            let cleaned = self.clean_up_all().await;
            self.store.outage().note(Work::Cleanup, cleaned.as_ref().copied());
            // Sooner than the interval says, where the database was in the way.
            if cleaned.is_err() {
                due = due.min(self.clock.elapsed() + CLEANUP_RETRY);
            }
        }
    }

    /// At that time, or later: after a gap the time is not to be gone by until two heartbeats were well.
    async fn calm_at(&self, due: Duration) {
        self.clock.sleep_until(due).await;
        while !self.is_calm() {
            self.clock.sleep(CALM_LOOK).await;
        }
    }

    async fn clean_up_all(&self) -> Result<(), StoreError> {
        self.clean_up().await?;
        self.fold_dead_boots().await?;
        self.prune().await.map(|_| ())
    }

    async fn keep_busy_alive(self: Arc<Self>, stopping: Stopping) {
        let pulse = Duration::from_secs(30).min(self.policy.timeout / 3).max(Duration::from_millis(10));
        while stopping.or(self.clock.sleep(pulse)).await.is_some() {
            self.touch_busy();
        }
    }

    /// Learns of ends that were made elsewhere before the lease of the session is over, and of cancellations that came to
    /// another server.
    async fn follow_news(self: Arc<Self>, stopping: Stopping) {
        let mut feed = self.store.news();
        while let Some(news) = stopping.or(feed.next()).await {
            match news {
                Ok(news) => news.iter().for_each(|news| match news {
                    News::Ended(end) => self.on_end(end),
                    News::Cancelled(cancelled) => self.on_cancelled(cancelled),
                }),
                Err(error) => {
                    tracing::debug!(%error, "what happened elsewhere cannot be read now");
                    _ = stopping.or(tokio::time::sleep(FEED_RETRY)).await;
                }
            }
        }
    }

    /// The last words of a clean stop: background work has ended, all is written, no session is ended.
    pub async fn stop(&self, patience: Duration, cause: EndCause) {
        self.supervisor.stop(STOP_PATIENCE).await;
        let drained = self.store.writer().drain(patience).await;
        if !drained {
            let waiting = self.store.writer().stats().waiting;
            tracing::error!(waiting, "stopping with rows that the database did not take");
            // Unless somebody just holds rows of a session, it takes nothing else either, and whoever stops us does not
            // wait for ever.
            if !self.store.held().lasts() {
                return;
            }
        }
        // A gap that is not recorded is lost with us, unless the next start finds our last heartbeat as old as it is.
        if !self.is_settled() && self.beat_once().await.is_err() {
            tracing::warn!("stopping with downtime not recorded in the database; the next start credits it");
            return;
        }
        report("writing session activity", self.flush().await.map(|_| ()));
        let evidence = if cause == EndCause::Interrupt { "Ctrl-C" } else { "it was told to stop, and did" };
        report("recording the boot's end", self.end_boot(&End::new(cause, Confidence::Certain, evidence)).await);
    }

    /// The last words of a server that cannot go on, if the database still takes them.
    pub async fn break_down(&self, broken: &Broken) {
        let end = End::new(EndCause::Panic, Confidence::Certain, broken.to_string());
        if !matches!(timeout(LAST_WORDS, self.end_boot(&end)).await, Ok(Ok(()))) {
            tracing::debug!("why the server ends could not be recorded");
        }
    }

    async fn end_boot(&self, end: &End) -> Result<(), StoreError> {
        self.store.end_boot(self.boot.begun.number, self.clock.now(), end).await
    }
}

fn report(what: &str, outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "{what} failed; a later run catches up");
    }
}
