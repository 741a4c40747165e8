//! The one clock. `now` is read here, passed down and bound into SQL; no statement asks the database for the time.
//!
//! A clock that nobody ticks (every command's) is the wall clock, corrected to the database's. A server's is ticked each
//! second by a thread that does nothing else. Between ticks it goes by the monotonic clock, and no further than
//! [`CARRY`] past the last tick: when the process was frozen, the machine slept or somebody set the wall clock, time stands
//! still until the next tick has said what happened. So nobody ever looks idle for time that was not idleness.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::timestamp::Timestamp;

/// How often a server's clock is ticked.
pub const TICK: Duration = Duration::from_secs(1);
/// How far time goes on without a tick, in milliseconds.
const CARRY: i64 = 1500;
/// A gap between two ticks longer than this is a freeze, in milliseconds.
const FREEZE: i64 = 5000;
/// Wall time and monotonic time that differ by more than this between two ticks: a step or a suspend, in milliseconds.
const STEP: i64 = 2000;

/// The clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    origin: Instant,
    /// Milliseconds by which a test has moved both clocks ahead.
    advanced: AtomicI64,
    /// Milliseconds by which a test has moved the wall clock alone.
    stepped: AtomicI64,
    /// What is added to the monotonic clock (ticking) or to the wall clock (not ticking), in milliseconds.
    base: AtomicI64,
    /// Up to which monotonic time the last tick lets time go on.
    limit: AtomicI64,
    is_ticking: AtomicBool,
    last: Mutex<Tick>,
    /// Wakes sleepers when a test moves the clock.
    moved: watch::Sender<()>,
}

/// Both clocks at the last tick, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Tick {
    mono: i64,
    wall: i64,
}

/// Whose time a ticking clock keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The wall clock of this machine.
    Wall,
    /// A database's: what the wall clock does is of no account, [`Clock::shift`] says what the database's does.
    Database,
}

/// The clock as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Timestamp,
    advanced: i64,
}

impl Reading {
    /// How far the database's clock, which was read `later` milliseconds after ours, is ahead, in milliseconds. What a test has
    /// advanced counts as advanced there, too.
    pub fn behind(self, theirs: Timestamp, later: i64) -> i64 {
        theirs.millis() + self.advanced - self.at.millis() - later
    }
}

/// What happened between two ticks besides the passing of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The clock's time at the tick before.
    pub since: Timestamp,
    /// How long nothing ran, in milliseconds; zero if it did.
    pub frozen_ms: i64,
    /// By how much the wall clock went further than the monotonic one: it was set, or the machine slept. In milliseconds,
    /// less than nothing when it was set back; zero for less than two seconds.
    pub stepped_ms: i64,
}

impl Default for Clock {
    fn default() -> Self {
        let shared = Shared {
            origin: Instant::now(),
            advanced: AtomicI64::new(0),
            stepped: AtomicI64::new(0),
            base: AtomicI64::new(0),
            limit: AtomicI64::new(0),
            is_ticking: AtomicBool::new(false),
            last: Mutex::default(),
            moved: watch::Sender::new(()),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Clock {
    /// The time.
    pub fn now(&self) -> Timestamp {
        let shared = &self.shared;
        let base = shared.base.load(SeqCst);
        if !shared.is_ticking.load(SeqCst) {
            return Timestamp::from_millis(self.wall().saturating_add(base));
        }
        Timestamp::from_millis(base.saturating_add(self.mono().min(shared.limit.load(SeqCst))))
    }

    /// The wall time of this machine.
    pub fn uncorrected() -> Timestamp {
        Timestamp::from_millis(system_millis())
    }

    /// Whether time goes on: a tick came not long ago.
    pub fn is_current(&self) -> bool {
        !self.shared.is_ticking.load(SeqCst) || self.mono() <= self.shared.limit.load(SeqCst)
    }

    /// From now on time goes on only as long as somebody ticks.
    pub fn start_ticking(&self) {
        let mut last = self.last();
        let (now, mono) = (self.now().millis(), self.mono());
        *last = Tick { mono, wall: self.wall() };
        self.shared.base.store(now - mono, SeqCst);
        self.shared.limit.store(mono + CARRY, SeqCst);
        self.shared.is_ticking.store(true, SeqCst);
    }

    /// From now on it is the wall clock again.
    pub fn stop_ticking(&self) {
        let ahead = self.now().millis() - self.wall();
        self.shared.base.store(ahead, SeqCst);
        self.shared.is_ticking.store(false, SeqCst);
    }

    /// A tick. Ordinarily time goes on. A gap is given back instead, and time stands still until [`Self::go_on`]: whoever
    /// ticks can first see to it that nobody is taken for idle.
    pub fn tick(&self, follows: Follows) -> Option<Gap> {
        let last = self.last();
        let (mono, wall) = (self.mono() - last.mono, self.wall() - last.wall);
        let stepped_ms = if (wall - mono).abs() > STEP { wall - mono } else { 0 };
        let frozen_ms = if mono > FREEZE { mono } else { 0 };
        if stepped_ms == 0 && frozen_ms == 0 {
            // What is less than a step is taken over without a word.
            self.advance_to_now(last, follows, wall - mono);
            return None;
        }
        let since = Timestamp::from_millis(self.shared.base.load(SeqCst).saturating_add(last.mono));
        Some(Gap { since, frozen_ms, stepped_ms })
    }

    /// Time goes on after a gap. A clock that follows the wall takes its step over.
    pub fn go_on(&self, follows: Follows) {
        let last = self.last();
        let (mono, wall) = (self.mono() - last.mono, self.wall() - last.wall);
        self.advance_to_now(last, follows, wall - mono);
    }

    fn advance_to_now(&self, mut last: MutexGuard<'_, Tick>, follows: Follows, beside: i64) {
        let (mono, wall) = (self.mono(), self.wall());
        if follows == Follows::Wall {
            self.shared.base.fetch_add(beside, SeqCst);
        }
        self.shared.limit.store(mono + CARRY, SeqCst);
        *last = Tick { mono, wall };
    }

    /// Moves the time: the database's clock is so far ahead of it, in milliseconds.
    pub fn shift(&self, millis: i64) {
        self.shared.base.fetch_add(millis, SeqCst);
    }

    /// Reads the clock to compare it with a database's; `None` while it stands still.
    pub fn read(&self) -> Option<Reading> {
        // A test moves it under this lock.
        let _last = self.last();
        let advanced = self.shared.advanced.load(SeqCst);
        self.is_current().then(|| Reading { at: self.now(), advanced })
    }

    /// A test's: moves both clocks ahead, as if every tick had come, and wakes whoever sleeps.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        let mut last = self.last();
        last.mono += millis;
        last.wall += millis;
        self.shared.advanced.fetch_add(millis, SeqCst);
        self.shared.limit.fetch_add(millis, SeqCst);
        drop(last);
        self.shared.moved.send_replace(());
    }

    /// A test's: sets the wall clock alone, ahead or back.
    pub fn step(&self, millis: i64) {
        self.shared.stepped.fetch_add(millis, SeqCst);
    }

    /// A test's: time passes on both clocks, and no tick came.
    pub fn freeze(&self, by: Duration) {
        let _last = self.last();
        self.shared.advanced.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4), SeqCst);
        self.shared.moved.send_replace(());
    }

    /// Time since this clock was made that no step changes: what intervals are measured by.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.mono()).unwrap_or(0))
    }

    /// Sleeps that long, whatever the wall clock does meanwhile.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.elapsed().saturating_add(duration)).await;
    }

    /// Sleeps until [`Self::elapsed`] has come so far.
    pub async fn sleep_until(&self, elapsed: Duration) {
        let mut moved = self.shared.moved.subscribe();
        loop {
            let left = elapsed.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // The sender lives in `self`: this cannot fail while we run.
                _ = moved.changed() => {}
            }
        }
    }

    fn mono(&self) -> i64 {
        let elapsed = i64::try_from(self.shared.origin.elapsed().as_millis()).unwrap_or(i64::MAX / 4);
        elapsed.saturating_add(self.shared.advanced.load(SeqCst))
    }

    fn wall(&self) -> i64 {
        let (advanced, stepped) = (self.shared.advanced.load(SeqCst), self.shared.stepped.load(SeqCst));
        system_millis().saturating_add(advanced).saturating_add(stepped)
    }

    fn last(&self) -> MutexGuard<'_, Tick> {
        self.shared.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn system_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 4))
}

#[cfg(test)]
mod tests;
