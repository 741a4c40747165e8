//! The times of a session in memory: when it was last used, and until when it is valid.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::store::boots::Outage;

/// How long a validated session is valid without asking the store again. An end made anywhere is honoured everywhere
/// after at most this time.
pub const LEASE: Duration = Duration::from_secs(1);

/// The times of a session, moved by touches.
#[derive(Debug)]
pub(super) struct Times {
    started: Timestamp,
    last_activity: AtomicI64,
    expires_at: AtomicI64,
    /// When its client last held a stream open; zero where that is written.
    stream_at: AtomicI64,
    /// When the store last said that it is valid, in milliseconds of uptime.
    checked_at: AtomicU64,
    dirty: AtomicBool,
}

impl Times {
    pub(super) fn new(started: Timestamp, last_activity: Timestamp, expires_at: Timestamp, checked_at: u64) -> Self {
        Self {
            started,
            last_activity: AtomicI64::new(last_activity.millis()),
            expires_at: AtomicI64::new(expires_at.millis()),
            stream_at: AtomicI64::new(0),
            checked_at: AtomicU64::new(checked_at),
            dirty: AtomicBool::new(false),
        }
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn last_activity(&self) -> Timestamp {
        Timestamp::from_millis(self.last_activity.load(Relaxed))
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.load(Relaxed))
    }

    /// Exactly at the limit is still valid.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now > self.expires_at()
    }

    /// Whether the store said within the lease that it is valid.
    pub(super) fn is_leased(&self, uptime_ms: u64) -> bool {
        self.was_checked_within(LEASE, uptime_ms)
    }

    pub(super) fn was_checked_within(&self, span: Duration, uptime_ms: u64) -> bool {
        u128::from(uptime_ms.saturating_sub(self.checked_at.load(Relaxed))) < span.as_millis()
    }

    /// The store says that it is valid, at least until then.
    pub(super) fn confirm(&self, expires_at: Timestamp, uptime_ms: u64) {
        self.expires_at.fetch_max(expires_at.millis(), Relaxed);
        self.checked_at.fetch_max(uptime_ms, Relaxed);
    }

    /// Moves the times forward; `true` when it was clean before and so must be put on the list of the next flush.
    pub(super) fn touch(&self, now: Timestamp, expires_at: Timestamp) -> bool {
        self.last_activity.fetch_max(now.millis(), Relaxed);
        self.expires_at.fetch_max(expires_at.millis(), Relaxed);
        !self.dirty.swap(true, Relaxed)
    }

    /// Its client holds a stream open: that is no use, and yet its time runs anew.
    pub(super) fn touch_stream(&self, now: Timestamp, expires_at: Timestamp) -> bool {
        self.stream_at.fetch_max(now.millis(), Relaxed);
        self.expires_at.fetch_max(expires_at.millis(), Relaxed);
        !self.dirty.swap(true, Relaxed)
    }

    /// When its client last held a stream open, if that is not written yet.
    pub(super) fn take_stream_at(&self) -> Option<Timestamp> {
        let millis = self.stream_at.swap(0, Relaxed);
        (millis > 0).then(|| Timestamp::from_millis(millis))
    }

    /// Time that was not idleness is given back: what of it came after the last use. A clock that was set back takes the
    /// times along that lie ahead of it; what was used since is on its scale already.
    pub(super) fn credit(&self, outage: &Outage, now: Timestamp) {
        let by = outage.credit_ms;
        if by < 0 {
            if self.last_activity() <= now {
                return;
            }
            self.last_activity.fetch_add(by, Relaxed);
        }
        let unused = outage.ended_at.millis().saturating_sub(self.last_activity.load(Relaxed)).max(0);
        self.expires_at.fetch_add(by.min(unused), Relaxed);
    }

    /// The flush takes it.
    pub(super) fn clean(&self) {
        self.dirty.store(false, Relaxed);
    }

    /// The flush failed: `true` when it must go back on the list, `false` when a touch has put it there meanwhile.
    pub(super) fn soil(&self) -> bool {
        !self.dirty.swap(true, Relaxed)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_at_the_limit_is_still_valid() {
        let start = Timestamp::from_millis(0);
        let times = Times::new(start, start, Timestamp::from_millis(1000), 0);
        assert!(!times.is_over(Timestamp::from_millis(1000)) && times.is_over(Timestamp::from_millis(1001)));
    }

    #[test]
    fn a_touch_never_goes_back_and_is_listed_once() {
        let start = Timestamp::from_millis(0);
        let times = Times::new(start, start, Timestamp::from_millis(60_000), 0);
        let touch = |at| times.touch(Timestamp::from_millis(at), Timestamp::from_millis(at + 60_000));
        assert!(touch(500));
        assert!(!touch(400));
        assert_eq!((times.last_activity().millis(), times.expires_at().millis()), (500, 60_500));
    }

    #[test]
    fn credit_is_what_came_after_the_last_use() {
        let at = Timestamp::from_millis;
        let after = |last: i64, credit_ms: i64| {
            let times = Times::new(at(0), at(last), at(last + 60_000), 0);
            times.credit(&Outage { number: 1, credit_ms, ended_at: at(50_000) }, at(51_000));
            (times.last_activity().millis(), times.expires_at().millis())
        };
        assert_eq!(after(10_000, 30_000), (10_000, 100_000));
        assert_eq!(after(40_000, 30_000), (40_000, 110_000), "used in between");
        assert_eq!(after(55_000, 30_000), (55_000, 115_000), "used since");
        assert_eq!(after(55_000, -30_000), (25_000, 85_000), "a clock that was set back");
        assert_eq!(after(50_500, -30_000), (50_500, 110_500), "used since it was set back");
    }
}
