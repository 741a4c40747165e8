//! Whether there is a place for one more session: a flood of `initialize` must not fill the disk.

use std::net::IpAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::caps::Cap;
use super::tallies::{Count, Known, Reservation, Tally};
use super::{SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::EndReason;
use crate::store::StoreError;
use crate::store::sessions::{Ended, EvictRule};

/// How long a count from the database serves, with what was opened here since on top. Other servers count for themselves,
/// so the caps of several servers may be passed by what they open within this time.
const COUNT_FRESH: Duration = Duration::from_secs(1);
/// How long a count that says "full" serves: a place may have become free.
const FULL_FRESH: Duration = Duration::from_millis(100);

/// No more than this many connections give way at once.
const EVICTED_AT_ONCE: u64 = 500;

impl Sessions {
    /// Room for one more session of this principal, asked for from that address.
    ///
    /// # Errors
    /// [`SessionError::Capped`] when not; [`SessionError::Unavailable`] when the store cannot tell.
    pub(super) async fn admit(
        &self,
        principal: &Principal,
        address: Option<IpAddr>,
    ) -> Result<Reservation<'_>, SessionError> {
        let caps = self.policy.caps;
        let tally = self.tallies.by_principal.entry(principal.name.clone()).or_default().value().clone();
        if let Some(rate) = caps.opened_per_second
            && !self.is_slow_enough(principal, address, &tally, rate)
        {
            return Err(SessionError::Capped(Cap::Rate(rate)));
        }
        // Held until the reservation is made, or the next of this principal would be let in by the same count.
        let counted = match caps.sessions.or(caps.per_principal) {
            Some(_) => Some(self.counted(principal, &tally).await?),
            None => None,
        };
        // Those without a name are no one in particular, and no one's openings are another's.
        if let Some(most) = caps.per_hour().filter(|_| !principal.name.is_empty())
            && !self.is_within_the_hour(&tally, most)
        {
            return Err(SessionError::Capped(Cap::PerHour(most)));
        }
        let reservation = self.tallies.reserve(&tally);
        // Another principal may have been let in by a count that is as old.
        let count = counted.and_then(|known| known.count);
        match (count, caps.sessions) {
            (Some(count), Some(most)) if count.all_with(&reservation) > most => {
                Err(SessionError::Capped(Cap::Sessions(most)))
            }
            _ => Ok(reservation),
        }
    }

    /// There is room by the counts, as long as this is held.
    async fn counted<'a>(
        &self,
        principal: &Principal,
        tally: &'a Tally,
    ) -> Result<tokio::sync::MutexGuard<'a, Known>, SessionError> {
        let since = self.uptime_ms();
        let mut known = tally.count.lock().await;
        // Whoever read while this one waited in line has found that there is no answer.
        if let Some((at, error)) = &known.failed
            && *at >= since
        {
            return Err(error.clone().into());
        }
        let count = self.room(principal, tally, known.count).await;
        known.failed = count.as_ref().err().map(|error| (self.uptime_ms(), error.clone()));
        let count = count?;
        known.count = Some(count);
        match self.met(count, tally) {
            Some(cap) => Err(SessionError::Capped(cap)),
            None => Ok(known),
        }
    }

    /// How many there are: counted anew where what is known is old, or says that there is no room, and again after idle ones
    /// have given way.
    async fn room(&self, principal: &Principal, tally: &Tally, known: Option<Count>) -> Result<Count, StoreError> {
        let mut count = match known {
            Some(count) if self.age(count) < COUNT_FRESH => count,
            _ => self.count_live(principal, tally).await?,
        };
        if self.met(count, tally).is_some() && self.age(count) >= FULL_FRESH {
            count = self.count_live(principal, tally).await?;
        }
        if let Some(cap) = self.met(count, tally)
            && self.make_room(cap, count, principal).await? > 0
        {
            count = self.count_live(principal, tally).await?;
        }
        Ok(count)
    }

    /// Ends the connections that have been idle for longest, beyond the session timeout: a hundredth of what there may be.
    /// This principal's own first; one that has its share makes room among its own alone. How many ended.
    async fn make_room(&self, cap: Cap, count: Count, principal: &Principal) -> Result<usize, StoreError> {
        // Idle by a clock that something happened to is not idle.
        if !self.is_calm() {
            return Ok(0);
        }
        let (Cap::Sessions(most) | Cap::PerPrincipal(most)) = cap else { return Ok(0) };
        // Nobody who is busy, or was used since the last flush, may look idle.
        self.touch_busy();
        let in_use = self.flush().await?;
        let limit = i64::try_from((most / 100).clamp(1, EVICTED_AT_ONCE)).unwrap_or(1);
        let mut rule =
            EvictRule { now: self.clock.now(), idle: self.policy.timeout, principal: Some(&principal.name), limit };
        let mut evicted = self.store.evict(rule, &in_use).await?;
        let principals = self.tallies.by_principal.len().max(1) as u64;
        if evicted.is_empty() && matches!(cap, Cap::Sessions(_)) && count.live.own < most.div_ceil(principals) {
            rule.principal = None;
            evicted = self.store.evict(rule, &in_use).await?;
        }
        for id in &evicted {
            let reason = EndReason::Evicted.to_string();
            self.cache.end(id, Ended { at: Some(rule.now), reason, by: "server".to_owned() });
        }
        if !evicted.is_empty()
            && let Some(more) = self.warned.of("evicted", self.clock.elapsed())
        {
            tracing::info!("ended {} idle connections to make room{more}", evicted.len());
        }
        Ok(evicted.len())
    }

    fn age(&self, count: Count) -> Duration {
        Duration::from_millis(self.uptime_ms().saturating_sub(count.at_ms))
    }

    async fn count_live(&self, principal: &Principal, tally: &Tally) -> Result<Count, StoreError> {
        // Taken before the read: what opens meanwhile may be counted twice, but never not at all.
        let at_ms = self.uptime_ms();
        let (all_settled, own_settled) = (self.tallies.all.settled.load(SeqCst), tally.own.settled.load(SeqCst));
        let live = self.store.live_counts(self.clock.now(), &principal.name).await?;
        Ok(Count { at_ms, live, all_settled, own_settled })
    }

    /// The limit that one more session would pass.
    fn met(&self, count: Count, tally: &Tally) -> Option<Cap> {
        let all = count.live.all + self.tallies.all.admitted.load(SeqCst).saturating_sub(count.all_settled);
        let own = tally.live_since(count);
        let caps = self.policy.caps;
        let full = caps.sessions.filter(|cap| all >= *cap).map(Cap::Sessions);
        full.or_else(|| caps.per_principal.filter(|cap| own >= *cap).map(Cap::PerPrincipal))
    }
}
