//! Sessions whose time is over are ended; what was dead before us is tidied; what nobody uses leaves memory.

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::Sessions;
use super::archon::Archon;
use super::cache::Dirty;
use super::live::Live;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sessions::{CreditRule, Ended, ReapRule, StreamTouch};
use crate::store::totals::{ArchonTouch, ProtocolTouch, Touches};

/// One chunk of any bulk work: bounded, so that no transaction holds others up for long.
pub(super) const CHUNK: i64 = 500;
/// A session that was not used for this long leaves memory; its row stays.
const KEPT_IDLE: Duration = Duration::from_mins(5);

impl Sessions {
    /// Ends what is past its time: in chunks, each atomic. Returns how many sessions it ended.
    ///
    /// # Errors
    /// [`StoreError`]; chunks before it are done.
    pub async fn clean_up(&self) -> Result<u64, StoreError> {
        if !self.is_calm() {
            return Ok(0);
        }
        // Before the flush: a session that is used after it was not over yet at this moment.
        let now = self.clock.now();
        // Nobody who is busy, or was used since the last flush, may look idle.
        self.touch_busy();
        let in_use = self.flush().await?;
        self.recover_credit().await?;
        let mut ended = 0;
        loop {
            let reaped = self
                .store
                .reap(
                    ReapRule {
                        now,
                        timeout: self.policy.timeout,
                        protocol_timeout: self.policy.protocol_timeout,
                        too_old: self.policy.max_age.map(|age| now.minus(age)),
                        limit: CHUNK,
                    },
                    &in_use,
                )
                .await?;
            for id in &reaped.archon {
                self.forget_archon(*id);
                tracing::debug!("Session {id} marked as expired in database");
            }
            for id in &reaped.protocol {
                if let Some(live) = self.cache.forget(id) {
                    let reason = self.reason_of_expiry(live.times.started(), now).to_string();
                    live.mark_ended(Ended { at: Some(now), reason, by: "server".to_owned() });
                }
            }
            let count = (reaped.archon.len() + reaped.protocol.len()) as u64;
            ended += count;
            if count == 0 {
                break;
            }
        }
        self.counters.cleaned_up.fetch_add(ended, Relaxed);
        self.counters.last_cleanup.store(self.clock.now().millis(), Relaxed);
        if ended > 0 {
            tracing::info!("Cleaned up {ended} expired sessions");
        }
        Ok(ended)
    }

    /// Touches every session in which a request runs, so that no reaper anywhere takes it.
    pub fn touch_busy(&self) {
        for live in self.cache.busy() {
            self.touch(&live, live.archon().as_ref());
            for archon in live.runs().archons() {
                self.touch(&live, Some(&archon));
            }
        }
    }

    /// Writes the touches and sums of the last second. Touches of sessions whose rows somebody holds are returned, and
    /// kept for the next time: those rows look idle.
    ///
    /// # Errors
    /// [`StoreError`]; then all is kept for the next time.
    pub async fn flush(&self) -> Result<Touches, StoreError> {
        // Whoever comes next finds what is left on the lists again, and in what this returns.
        let _turn = self.flushing.lock().await;
        // Before it is written: a row that comes in meanwhile is found by the next flush.
        let keeps_rows = self.store.held().keeps_rows();
        let in_hand = InHand::take(self);
        let boot = self.boot.begun.number;
        let (touches, streams) = (in_hand.touches(boot), in_hand.streams());
        if let Err(error) = self.store.touch_streams(&streams).await {
            // Each is touched again in a moment.
            tracing::debug!(%error, "open streams could not be written");
        }
        match self.store.totals().flush(boot, touches).await {
            Ok(left) => {
                in_hand.arrived_but(&left, keeps_rows);
                Ok(left)
            }
            Err((error, _)) => Err(error),
        }
    }

    /// Gives idle sessions the time back in which no server was alive: those whose time would be over before the cleanup
    /// after the next.
    pub(super) async fn recover_credit(&self) -> Result<(), StoreError> {
        let credits = self.credits();
        if credits.outages.is_empty() {
            return self.keep_age().await;
        }
        let soon = self.policy.cleanup_interval.saturating_mul(2).saturating_add(credits.set_back());
        let until = self.clock.now().plus(soon);
        let mut from = Some(Timestamp::from_millis(0));
        while let Some(chunk) = from {
            let began = Instant::now();
            let rule = CreditRule { until, from: chunk, limit: CHUNK };
            from = self.store.credit_sessions(&credits, rule).await?.next;
            // After a night without a server these are all, and clients come back just now: half of the time is theirs.
            tokio::time::sleep(began.elapsed()).await;
        }
        self.keep_age().await
    }

    /// Rows that were written under another limit, or credited beyond it, end with the greatest age.
    async fn keep_age(&self) -> Result<(), StoreError> {
        let Some(age) = self.policy.max_age else { return Ok(()) };
        while self.store.keep_age(age, CHUNK).await? > 0 {}
        Ok(())
    }

    /// Finishes the sums of boots that ended without doing so.
    pub(super) async fn fold_dead_boots(&self) -> Result<(), StoreError> {
        for boot in self.store.totals().unfolded_boots().await? {
            loop {
                match self.store.totals().fold_leftovers(boot, CHUNK).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    // Somebody holds rows of its sessions: the next cleanup finds the rest.
                    Err(StoreError::Held(reason)) => {
                        tracing::debug!(boot, %reason, "the sums of an earlier boot wait");
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Drops from memory what has not been used for a while; it comes back from the store when it is.
    pub(super) fn evict_idle(&self) {
        let idle_since = self.clock.now().minus(KEPT_IDLE);
        let idle = |times: &super::times::Times| !times.is_dirty() && times.last_activity() < idle_since;
        self.cache.evict(idle);
    }
}

/// Touches on their way to the database. Unless they arrive there, they go back, also when whoever writes them is dropped.
struct InHand<'a> {
    sessions: &'a Sessions,
    dirty: Dirty,
}

impl<'a> InHand<'a> {
    fn take(sessions: &'a Sessions) -> Self {
        let dirty = std::mem::take(&mut *sessions.cache.dirty());
        dirty.live.iter().for_each(|live| live.times.clean());
        dirty.archons.iter().for_each(|archon| archon.times.clean());
        Self { sessions, dirty }
    }

    fn touches(&self, boot: i64) -> Touches {
        // Held while they are read: no outage is credited meanwhile.
        let credits = self.sessions.credits.read().unwrap_or_else(PoisonError::into_inner);
        let credited = credits.latest();
        let protocol = |live: &Arc<Live>| ProtocolTouch {
            protocol_session_id: live.id.clone(),
            last_activity: live.times.last_activity(),
            expires_at: live.times.expires_at(),
            boot,
            credited,
        };
        let archon = |archon: &Arc<Archon>| ArchonTouch {
            session_id: archon.id,
            last_activity: archon.times.last_activity(),
            expires_at: archon.times.expires_at(),
            boot,
            credited,
        };
        Touches {
            protocol: self.dirty.live.iter().map(protocol).collect(),
            archon: self.dirty.archons.iter().map(archon).collect(),
        }
    }

    /// Those of sessions with an open stream.
    fn streams(&self) -> Vec<StreamTouch> {
        let credits = self.sessions.credits.read().unwrap_or_else(PoisonError::into_inner);
        let touch = |live: &Arc<Live>| {
            Some(StreamTouch {
                protocol_session_id: live.id.clone(),
                stream_at: live.times.take_stream_at()?,
                expires_at: live.times.expires_at(),
                credited: credits.latest(),
            })
        };
        self.dirty.live.iter().filter_map(touch).collect()
    }

    /// All are in the database but these, which go back; and where rows wait for what somebody holds, those of sessions
    /// whose row may be one of them.
    fn arrived_but(mut self, left: &Touches, keeps_rows: bool) {
        let Dirty { live, archons } = &mut self.dirty;
        let protocol: HashSet<_> = left.protocol.iter().map(|touch| &touch.protocol_session_id).collect();
        live.retain(|live| protocol.contains(&live.id));
        let archon: HashSet<_> = left.archon.iter().map(|touch| touch.session_id).collect();
        archons.retain(|kept| archon.contains(&kept.id) || (keeps_rows && kept.pending.load(Relaxed)));
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let Dirty { live, archons } = std::mem::take(&mut self.dirty);
        let mut again = self.sessions.cache.dirty();
        // One that was touched meanwhile is on the list already.
        again.live.extend(live.into_iter().filter(|live| live.times.soil()));
        again.archons.extend(archons.into_iter().filter(|archon| archon.times.soil()));
    }
}

#[cfg(test)]
mod tests;
