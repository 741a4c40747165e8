//! The last [`Status`], kept for a moment.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::status::Status;
use crate::model::clock::Clock;

/// A status younger than this needs no new one.
const FRESH: Duration = Duration::from_secs(1);
/// A status younger than this serves while the next one is fetched.
const PASSABLE: Duration = Duration::from_secs(5);
/// The longest that anybody waits for the next one.
const PATIENCE: Duration = Duration::from_millis(250);

/// The last [`Status`], so that those who ask thousands of times a second cost the database one read a second, and wait for
/// none that does not come.
#[derive(Debug, Default)]
pub(super) struct StatusCache {
    shared: Arc<Shared>,
    /// True of every status, however old it is.
    draining: AtomicBool,
}

/// What whoever reads and those who ask both see. No lock is held across an await.
#[derive(Debug, Default)]
struct Shared {
    last: Mutex<Option<Status>>,
    reading: Mutex<Option<Reading>>,
}

/// A read that is under way, in a task of its own: it goes on when the call that began it is answered. The store bounds it.
#[derive(Debug, Clone)]
struct Reading {
    since: Instant,
    /// Closed at its end, a panic included.
    end: watch::Receiver<()>,
}

impl StatusCache {
    pub(super) fn begin_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// The last status if it is fresh. Else one caller begins to read the next, and the others get the last one meanwhile.
    /// `None` where there is none that may be shown, and the next one takes its time.
    pub(super) async fn recent<R>(&self, clock: &Clock, read: impl FnOnce() -> R) -> Option<Status>
    where
        R: Future<Output = Status> + Send + 'static,
    {
        if let Some(status) = self.younger_than(FRESH, clock) {
            return Some(status);
        }
        // Boxed: a call that finds a fresh one would carry the size of the rest along.
        Box::pin(self.next(clock, read)).await
    }

    async fn next<R>(&self, clock: &Clock, read: impl FnOnce() -> R) -> Option<Status>
    where
        R: Future<Output = Status> + Send + 'static,
    {
        let (mut reading, is_mine) = self.join_or_begin(read);
        if let Some(status) = self.younger_than(PASSABLE, clock)
            && (!is_mine || !status.database_answers)
        {
            return Some(status);
        }
        let left = PATIENCE.saturating_sub(reading.since.elapsed());
        // A timer of no time takes a tick all the same.
        if !left.is_zero() {
            // Whether it ends, or does not in time, the outcome stands in the cache or does not.
            _ = timeout(left, reading.end.changed()).await;
        }
        self.younger_than(PASSABLE, clock)
    }

    /// The read that is under way, and whether it was begun for this caller.
    fn join_or_begin<R>(&self, read: impl FnOnce() -> R) -> (Reading, bool)
    where
        R: Future<Output = Status> + Send + 'static,
    {
        let mut reading = locked(&self.shared.reading);
        if let Some(reading) = reading.as_ref().filter(|reading| reading.end.has_changed().is_ok()) {
            return (reading.clone(), false);
        }
        let (shared, status, (running, end)) = (self.shared.clone(), read(), watch::channel(()));
        tokio::spawn(async move {
            let status = status.await;
            *locked(&shared.last) = Some(status);
            drop(running);
        });
        let begun = Reading { since: Instant::now(), end };
        *reading = Some(begun.clone());
        (begun, true)
    }

    fn younger_than(&self, age: Duration, clock: &Clock) -> Option<Status> {
        let last = locked(&self.shared.last);
        let now = clock.now();
        // A clock that was set back makes a status from the future: that one is old, too.
        last.as_ref().filter(|s| now.since(s.now) < age && s.now.since(now) < age).cloned()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use tokio::sync::oneshot;

    use super::*;

    /// Counts reads, and tells each status from the others by its boot number.
    #[derive(Default)]
    struct Reads(AtomicI64);

    impl Reads {
        fn next(&self, clock: &Clock) -> Status {
            let boot_number = self.0.fetch_add(1, Relaxed) + 1;
            Status { now: clock.now(), boot_number, database_answers: true, ..Status::default() }
        }

        async fn ask(&self, cache: &StatusCache, clock: &Clock) -> Option<i64> {
            let read = || std::future::ready(self.next(clock));
            cache.recent(clock, read).await.map(|status| status.boot_number)
        }
    }

    #[tokio::test]
    async fn reads_at_most_once_a_second() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        for _ in 0..10 {
            assert_eq!(reads.ask(&cache, &clock).await, Some(1));
        }
        clock.advance(FRESH);
        assert_eq!(reads.ask(&cache, &clock).await, Some(2));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_database_that_is_gone() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        let began = Instant::now();
        let (answer, answered) = oneshot::channel::<Status>();
        let slow = || async { answered.await.expect("an answer") };
        assert!(cache.recent(&clock, slow).await.is_none(), "nothing was ever known");
        let waited = began.elapsed();
        assert!(waited >= PATIENCE, "{waited:?}");
        let never = std::future::pending::<Status>;
        for _ in 0..100 {
            assert!(cache.recent(&clock, never).await.is_none(), "the same read is under way");
        }
        assert!(began.elapsed() < waited + 50 * PATIENCE, "and has had its time");
        answer.send(Status { database_answers: false, ..reads.next(&clock) }).expect("the read goes on");
        tokio::task::yield_now().await;
        clock.advance(FRESH);
        let asked = Instant::now();
        for _ in 0..100 {
            let status = cache.recent(&clock, never).await.expect("the last one");
            assert!(!status.database_answers, "{status:?}");
        }
        assert!(asked.elapsed() < 50 * PATIENCE, "known to be gone: nobody waits for the next");
    }

    #[tokio::test]
    async fn others_get_the_last_one_while_somebody_reads() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        reads.ask(&cache, &clock).await;
        clock.advance(FRESH);
        let began = Instant::now();
        let (answer, answered) = oneshot::channel::<Status>();
        let slow = cache.recent(&clock, || async { answered.await.expect("an answer") });
        let other = async {
            let status = cache.recent(&clock, std::future::pending).await;
            assert_eq!(status.map(|s| s.boot_number), Some(1));
            answer.send(reads.next(&clock)).expect("heard");
        };
        let (slow, ()) = tokio::join!(slow, other);
        assert_eq!(slow.map(|s| s.boot_number), Some(2));
        assert!(began.elapsed() < PATIENCE, "nobody waits longer than for the answer");
    }

    #[tokio::test]
    async fn a_read_that_panics_gives_the_turn_back() {
        let (cache, clock, reads) = (StatusCache::default(), Clock::default(), Reads::default());
        let broken = || async { panic!("on purpose") };
        assert!(cache.recent(&clock, broken).await.is_none());
        assert_eq!(reads.ask(&cache, &clock).await, Some(1));
    }
}
