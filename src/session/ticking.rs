//! Time that was nobody's idleness, seen by a running server: steps of the clock, freezes, a machine that slept, a database
//! that was away. It is recorded as an outage, and each session's end moves by it.
//!
//! A thread ticks the clock each second and touches no store. What it finds, and what the heartbeat finds, is recorded by
//! the heartbeat. Until that is done nothing ends for its time; the cleanup waits until two heartbeats in a row were well.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Sessions;
use super::gap::{ahead, log, lost_of, span};
use super::timekeeping::CALM_AFTER;
use super::times::Times;
use crate::model::clock::{Follows, Gap, TICK};
use crate::model::timestamp::Timestamp;
use crate::store::boots::{Cause, Credits, Lost};
use crate::store::{Location, StoreError};

/// The database's clock and ours differ by more than this only if one of them was set, in milliseconds.
const STEP: i64 = 2000;
/// A heartbeat that is this late waits for the database.
const OVERDUE: Duration = Duration::from_secs(3);
/// How long to wait while the clock stands still.
const STILL: Duration = Duration::from_millis(20);

impl Sessions {
    /// Whether that time is over: never while a gap is not recorded.
    pub(super) fn is_over(&self, times: &Times) -> bool {
        times.is_over(self.clock.now()) && self.is_settled()
    }

    /// The same of the end of a row's time.
    pub(super) fn has_passed(&self, end: Timestamp) -> bool {
        self.clock.now() > end && self.is_settled()
    }

    /// Somebody has recorded an outage that is not known here: what it means is known when the time was compared again.
    pub(super) fn hear_of_outage(&self) {
        self.time.unsettle();
    }

    /// Whether all gaps are recorded, and the database took a heartbeat when it was time for one: while that waits, nobody
    /// knows yet how long the database is away.
    pub(super) fn is_settled(&self) -> bool {
        let is_overdue = |(beat, _): (Instant, Timestamp)| beat.elapsed() > self.interval() + OVERDUE;
        self.time.is_settled() && !self.time.state().beat.is_some_and(is_overdue)
    }

    /// Whether nothing happened to the time for two heartbeats: then bulk work may go by it.
    pub(super) fn is_calm(&self) -> bool {
        self.is_settled() && self.time.well.load(SeqCst) >= CALM_AFTER
    }

    /// The outages that are known.
    pub(super) fn credits(&self) -> Arc<Credits> {
        self.credits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ticks the clock on a thread of its own, for as long as the sessions live.
    pub(super) fn start_clock(self: &Arc<Self>) {
        self.clock.start_ticking();
        let weak = Arc::downgrade(self);
        let started = std::thread::Builder::new().name("archonctl-clock".into()).spawn(move || Self::keep_time(&weak));
        if let Err(error) = started {
            tracing::error!(%error, "no thread for the clock: it goes by the wall clock alone");
            self.clock.stop_ticking();
        }
    }

    fn keep_time(weak: &Weak<Self>) {
        loop {
            std::thread::sleep(TICK);
            let Some(sessions) = weak.upgrade() else { return };
            // Without it time would stand still. What broke is in the log by then.
            _ = std::panic::catch_unwind(AssertUnwindSafe(|| sessions.tick()));
            if let Some(on_tick) = sessions.policy.on_tick {
                on_tick();
            }
        }
    }

    fn tick(&self) {
        let follows = self.follows();
        let Some(gap) = self.clock.tick(follows) else { return };
        log(gap);
        let mut state = self.time.state();
        // Before time goes on: from here on nobody is taken for idle.
        self.time.unsettle();
        self.clock.go_on(follows);
        state.frozen_ms += gap.frozen_ms;
        match follows {
            // The wall clock says itself what was lost; the database has to be asked.
            Follows::Wall => state.lost.push(lost_of(gap)),
            Follows::Database => state.gaps.push(gap),
        }
    }

    /// Whose time this server keeps.
    pub(super) fn follows(&self) -> Follows {
        match self.store.location() {
            Location::Postgres(_) => Follows::Database,
            Location::SqliteFile(_) | Location::SqliteMemory => Follows::Wall,
        }
    }

    pub(super) async fn beat_once(&self) -> Result<(), StoreError> {
        // A freeze that the clock has not told yet would be taken for the database's.
        while !self.clock.is_current() {
            tokio::time::sleep(STILL).await;
        }
        self.follow_database().await?;
        let number = self.boot.begun.number;
        loop {
            let Some(lost) = self.time.state().lost.first().copied() else { break };
            self.store.record_lost(number, self.credits().latest(), lost).await?;
            self.time.state().lost.remove(0);
        }
        // It waits as long as the database does: how long that was away is known after it.
        let vitals = self.vitals();
        self.store.heartbeat(number, self.clock.now(), &vitals).await?;
        if let Some(lost) = self.lost_database() {
            self.store.record_lost(number, self.credits().latest(), lost).await?;
            let words = span(lost.credit_ms);
            tracing::warn!("the database took no writes for {words}: this does not count as idle time");
            self.time.state().has_beaten(self.clock.now());
        }
        self.learn_outages().await?;
        let mut state = self.time.state();
        state.has_beaten(self.clock.now());
        if state.gaps.is_empty() && state.lost.is_empty() {
            self.time.is_unsettled.store(false, SeqCst);
            self.time.well.store(self.time.well.load(SeqCst).saturating_add(1).min(CALM_AFTER), SeqCst);
        }
        Ok(())
    }

    /// Goes by the database's clock. What the wall clock of this machine does is of no account; a machine that slept is
    /// behind, and a database whose own clock was set moves all its servers.
    async fn follow_database(&self) -> Result<(), StoreError> {
        loop {
            let gaps = self.time.state().gaps.len();
            let Some(offset) = self.store.clock_offset(&self.clock).await? else { return Ok(()) };
            // Measured while time stood still, or a gap came meanwhile: that says nothing.
            if self.clock.is_current() && self.take_over(offset, gaps) {
                return Ok(());
            }
            tokio::time::sleep(STILL).await;
        }
    }

    /// Takes over what was measured, unless there are more gaps by now than there were.
    fn take_over(&self, offset: i64, gaps: usize) -> bool {
        let mut state = self.time.state();
        if state.gaps.len() != gaps {
            return false;
        }
        let gaps = std::mem::take(&mut state.gaps);
        if offset.abs() > STEP {
            self.time.unsettle();
            if gaps.is_empty() {
                tracing::warn!("the database's clock was set {}: this does not count as idle time", ahead(offset));
            }
            let began = self.clock.now();
            state.lost.push(Lost { began, ended: began.shifted(offset), credit_ms: offset, cause: Cause::Clock });
        }
        self.clock.shift(offset);
        let frozen = gaps.into_iter().filter(|gap| gap.frozen_ms > 0);
        state.lost.extend(frozen.map(|gap| lost_of(Gap { stepped_ms: 0, ..gap })));
        true
    }

    /// What is lost if the database takes a heartbeat now: the time since the last one, if it was away for longer than the
    /// grace. Clients were told that their sessions are kept.
    fn lost_database(&self) -> Option<Lost> {
        let state = self.time.state();
        let frozen = Duration::from_millis(u64::try_from(state.frozen_ms).unwrap_or(0));
        let (beat, began) = state.beat?;
        let away = beat.elapsed().saturating_sub(frozen);
        // One that only took its time did not fail.
        let was_away = state.has_failed || away > self.policy.store_grace + self.interval();
        if !was_away || away <= self.policy.store_grace {
            return None;
        }
        let credit_ms = i64::try_from(away.as_millis()).unwrap_or(i64::MAX);
        // The same beginning at each try: the answer to a COMMIT may be lost.
        Some(Lost { began, ended: self.clock.now(), credit_ms, cause: Cause::Database })
    }

    /// Takes over the outages that were recorded, here or elsewhere: the sessions in memory get what they have coming.
    pub(super) async fn learn_outages(&self) -> Result<(), StoreError> {
        let fresh = self.store.outages_after(self.credits().latest()).await?;
        if fresh.is_empty() {
            return Ok(());
        }
        let mut credits = self.credits.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Credits::clone(&credits);
        // Somebody else may have learnt of them meanwhile.
        for outage in fresh.into_iter().filter(|outage| outage.number > credits.latest()) {
            let now = self.clock.now();
            self.cache.credit(&outage, now);
            next.outages.push(outage);
        }
        *credits = Arc::new(next);
        Ok(())
    }
}
