//! A boot says now and then that it is alive, and sooner when something has happened to the time.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::supervisor::Stopping;
use crate::store::Work;
use crate::store::boots::Vitals;

/// A boot says at least this often that it is alive.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// The same while the database takes no writes, or after a gap.
const HEARTBEAT_SOON: Duration = Duration::from_secs(1);

impl Sessions {
    /// Says regularly that this boot is alive.
    pub(super) async fn beat(self: Arc<Self>, stopping: Stopping) {
        self.time.state().has_beaten(self.clock.now());
        let turn = async || {
            tokio::select! {
                () = self.clock.sleep(self.pause()) => {}
                () = self.time.wake.notified() => {}
            }
        };
        while stopping.or(turn()).await.is_some() {
            let outcome = self.beat_once().await;
            if outcome.is_err() {
                self.time.state().has_failed = true;
                // How long that lasts is known when the next one is written: until then nobody is taken for idle.
                self.time.doubt();
            }
            self.store.outage().note(Work::Heartbeat, outcome.as_ref().copied());
        }
    }

    /// What a heartbeat says besides.
    pub(super) fn vitals(&self) -> Vitals {
        let kills = self.policy.deployment.machine.kills();
        Vitals { cleaned_up: self.last_cleanup(), memory: self.memory(), kills }
    }

    /// While something is wrong the database is asked more often: this is how a quiet server learns that it is back. An
    /// outage as long as the grace must not fit between two heartbeats.
    fn pause(&self) -> Duration {
        if self.store.outage().is_suspected() || !self.is_calm() { HEARTBEAT_SOON } else { self.interval() }
    }

    pub(super) fn interval(&self) -> Duration {
        HEARTBEAT_EVERY.min(self.policy.store_grace / 4).min(self.policy.timeout / 4).max(HEARTBEAT_SOON)
    }
}
