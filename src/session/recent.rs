//! The last [`Status`], kept for a moment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::status::Status;
use crate::model::clock::Clock;

/// A status younger than this needs no new one.
const FRESH: Duration = Duration::from_secs(1);
/// A status younger than this serves while somebody fetches the next.
const PASSABLE: Duration = Duration::from_secs(5);

/// The last [`Status`], so that those who ask thousands of times a second cost the database one read a second.
#[derive(Debug, Default)]
pub(super) struct StatusCache {
    /// Never held across an await.
    last: Mutex<Option<Status>>,
    /// The turn of whoever fetches the next one. It is given back even if that caller goes away midway.
    turn: tokio::sync::Mutex<()>,
}

impl StatusCache {
    /// The last status if it is fresh. Else one caller reads the next, and the others get the last one meanwhile; they
    /// wait only where that one is too old to be shown.
    pub(super) async fn recent<R: Future<Output = Status>>(&self, clock: &Clock, read: impl FnOnce() -> R) -> Status {
        if let Some(status) = self.younger_than(FRESH, clock) {
            return status;
        }
        // Boxed: a call that finds a fresh one would carry the size of the read along.
        Box::pin(self.next(clock, read)).await
    }

    async fn next<R: Future<Output = Status>>(&self, clock: &Clock, read: impl FnOnce() -> R) -> Status {
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => match self.younger_than(PASSABLE, clock) {
                Some(status) => return status,
                None => self.turn.lock().await,
            },
        };
        // Whoever had the turn before may have brought it.
        if let Some(status) = self.younger_than(FRESH, clock) {
            return status;
        }
        let status = read().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(status.clone());
        status
    }

    fn younger_than(&self, age: Duration, clock: &Clock) -> Option<Status> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        // A clock that was set back makes a status from the future: that one is old, too.
        last.as_ref().filter(|s| now.since(s.now) < age && s.now.since(now) < age).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Counts reads, and tells each status from the others by its boot number.
    #[derive(Default)]
    struct Reads(AtomicI64);

    impl Reads {
        fn next(&self, clock: &Clock) -> Status {
            Status { now: clock.now(), boot_number: self.0.fetch_add(1, Ordering::Relaxed) + 1, ..Status::default() }
        }
    }

    #[tokio::test]
    async fn reads_at_most_once_a_second() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        for _ in 0..10 {
            assert_eq!(cache.recent(&clock, || async { reads.next(&clock) }).await.boot_number, 1);
        }
        clock.advance(FRESH);
        assert_eq!(cache.recent(&clock, || async { reads.next(&clock) }).await.boot_number, 2);
    }

    #[tokio::test]
    async fn others_get_the_last_one_while_somebody_reads() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        cache.recent(&clock, || async { reads.next(&clock) }).await;
        clock.advance(FRESH);
        let (answer, answered) = oneshot::channel();
        let mut slow = Box::pin(cache.recent(&clock, || async { answered.await.expect("an answer") }));
        assert!((&mut slow).now_or_never().is_none(), "it waits for the database");
        let other = cache.recent(&clock, || async { reads.next(&clock) }).now_or_never();
        assert_eq!(other.map(|s| s.boot_number), Some(1), "no wait, no second read");
        // Too old to be shown: now the others wait for the read that is under way.
        clock.advance(PASSABLE);
        let mut waiting = Box::pin(cache.recent(&clock, || async { reads.next(&clock) }));
        assert!((&mut waiting).now_or_never().is_none());
        answer.send(reads.next(&clock)).expect("heard");
        assert_eq!((slow.await.boot_number, waiting.await.boot_number), (2, 2));
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_gives_the_turn_back() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        let gone = cache.recent(&clock, std::future::pending).now_or_never();
        assert!(gone.is_none());
        assert_eq!(cache.recent(&clock, || async { reads.next(&clock) }).await.boot_number, 1);
    }
}
