//! The last [`Status`] of a kind, and whoever reads the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::status::Status;

/// Looking takes this part of the time of one connection at most: a look that took 100 ms is followed by 2 s without one.
const PART: u32 = 20;
/// What looking has left of its part is saved up, for as long as this: small looks are new ones each time.
const SAVED: Duration = Duration::from_secs(5);

/// The last [`Status`]. Who asks thousands of times a second, or sixteen at once, costs the database one connection for a
/// part of its time.
#[derive(Debug, Default)]
pub(super) struct StatusCache {
    shared: Arc<Mutex<Looks>>,
}

/// What whoever reads and those who ask both see. No lock is held across an await.
#[derive(Debug, Default)]
struct Looks {
    last: Option<Look>,
    reading: Option<Reading>,
    /// Until when the looks before have used up their part.
    paid_until: Option<Instant>,
    asked: Option<Instant>,
}

/// What a look has brought, and what it cost.
#[derive(Debug)]
struct Look {
    began: Instant,
    took: Duration,
    status: Status,
}

/// A read that is under way, in a task of its own: it goes on when the call that began it is answered. The store bounds it.
#[derive(Debug, Clone)]
struct Reading {
    since: Instant,
    /// Closed at its end, a panic included.
    end: watch::Receiver<()>,
}

/// How long somebody waits for a new status, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitLimits {
    /// Where there is one already that took its time.
    pub(super) slow: Duration,
    /// Where the last one was there at once, or there is none yet.
    pub(super) quick: Duration,
}

/// A look that took no longer was there at once: so will be the next one, unless something happens.
const AT_ONCE: Duration = Duration::from_millis(8);

impl StatusCache {
    /// A new status if looking may have its time and does not take longer than that; else the last one, with its age. `None`
    /// where there is none yet.
    pub(super) async fn recent<R>(&self, patience: WaitLimits, read: impl FnOnce() -> R) -> Option<Status>
    where
        R: Future<Output = Status> + Send + 'static,
    {
        self.locked().asked = Some(Instant::now());
        if let Some(mut reading) = self.join_or_begin(read) {
            let is_slow = self.locked().last.as_ref().is_some_and(|look| look.took > AT_ONCE);
            let patience = if is_slow { patience.slow } else { patience.quick };
            let left = patience.saturating_sub(reading.since.elapsed());
            // A timer of no time takes a tick all the same.
            if !left.is_zero() {
                // Boxed: a call that finds a new one would carry the timer along. Whether it ends, or does not in time, the
                // outcome stands here or does not.
                _ = Box::pin(timeout(left, reading.end.changed())).await;
            }
        }
        let looks = self.locked();
        looks.last.as_ref().map(|look| Status { age: look.began.elapsed(), ..look.status.clone() })
    }

    /// Keeps what a look has brought that began then.
    pub(super) fn keep(&self, began: Instant, status: Status) {
        self.locked().note(began, status);
    }

    /// Whether somebody has asked in that time.
    pub(super) fn is_asked(&self, lately: Duration) -> bool {
        self.locked().asked.is_some_and(|asked| asked.elapsed() < lately)
    }

    /// Begins to read the next status, if that may be.
    pub(super) fn refresh<R>(&self, read: impl FnOnce() -> R)
    where
        R: Future<Output = Status> + Send + 'static,
    {
        self.join_or_begin(read);
    }

    /// The read that is under way, perhaps begun just now; none where looking has had its part of the time.
    fn join_or_begin<R>(&self, read: impl FnOnce() -> R) -> Option<Reading>
    where
        R: Future<Output = Status> + Send + 'static,
    {
        let mut looks = self.locked();
        let now = Instant::now();
        if let Some(reading) = looks.reading.as_ref().filter(|reading| reading.end.has_changed().is_ok()) {
            return Some(reading.clone());
        }
        if looks.paid_until.is_some_and(|until| until > now + SAVED) {
            return None;
        }
        let (shared, status, (running, end)) = (self.shared.clone(), read(), watch::channel(()));
        tokio::spawn(async move {
            let status = status.await;
            locked(&shared).note(now, status);
            drop(running);
        });
        let begun = Reading { since: now, end };
        looks.reading = Some(begun.clone());
        Some(begun)
    }

    fn locked(&self) -> MutexGuard<'_, Looks> {
        locked(&self.shared)
    }
}

impl Looks {
    /// A look that began then has brought this.
    fn note(&mut self, began: Instant, status: Status) {
        let took = began.elapsed();
        // A database that does not answer is asked again at once: whether it does is what all want to know.
        let cost = if status.database_answers { took * PART } else { Duration::ZERO };
        let paid = self.paid_until.map_or(began, |until| until.max(began));
        self.paid_until = Some(paid + cost);
        // Of two at once the one that began later knows more.
        if self.last.as_ref().is_none_or(|last| last.began <= began) {
            self.last = Some(Look { began, took, status });
        }
    }
}

fn locked(looks: &Mutex<Looks>) -> MutexGuard<'_, Looks> {
    looks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use tokio::sync::oneshot;

    use super::*;

    const PATIENCE: WaitLimits = WaitLimits { slow: Duration::from_millis(5), quick: Duration::from_millis(250) };

    /// Counts reads, and tells each status from the others by its boot number.
    #[derive(Default)]
    struct Reads(AtomicI64);

    impl Reads {
        fn next(&self) -> Status {
            let boot_number = self.0.fetch_add(1, Relaxed) + 1;
            Status { boot_number, database_answers: true, ..Status::default() }
        }

        async fn ask(&self, cache: &StatusCache) -> Option<i64> {
            let read = || std::future::ready(self.next());
            cache.recent(PATIENCE, read).await.map(|status| status.boot_number)
        }
    }

    #[tokio::test]
    async fn what_costs_little_is_read_anew() {
        let (cache, reads) = (StatusCache::default(), Reads::default());
        for n in 1..=3 {
            assert_eq!(reads.ask(&cache).await, Some(n));
        }
        assert!(cache.is_asked(Duration::from_mins(1)) && !cache.is_asked(Duration::ZERO));
    }

    #[tokio::test]
    async fn what_costs_much_is_not_read_again_at_once() {
        let (cache, reads) = (StatusCache::default(), Reads::default());
        let began = Instant::now().checked_sub(Duration::from_millis(400)).expect("a machine that runs for longer");
        cache.locked().note(began, reads.next());
        for _ in 0..10 {
            let status = cache.recent(PATIENCE, std::future::pending).await.expect("the last one");
            assert!(status.boot_number == 1 && status.age >= Duration::from_millis(400), "{status:?}");
        }
        let hour_ago = Instant::now().checked_sub(Duration::from_secs(8));
        cache.locked().paid_until = hour_ago;
        assert_eq!(reads.ask(&cache).await, Some(2), "its time is over");
        let began = Instant::now().checked_sub(Duration::from_secs(3)).expect("a machine that runs for longer");
        cache.keep(began, Status { database_answers: false, ..reads.next() });
        assert!(reads.ask(&cache).await.is_some_and(|n| n > 2), "one that does not answer is asked again");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_database_that_hangs() {
        let (cache, reads) = (StatusCache::default(), Reads::default());
        let began = Instant::now();
        let (answer, answered) = oneshot::channel::<Status>();
        let slow = || async { answered.await.expect("an answer") };
        assert!(cache.recent(PATIENCE, slow).await.is_none(), "nothing was ever known");
        let waited = began.elapsed();
        assert!(waited >= PATIENCE.quick, "{waited:?}");
        let never = std::future::pending::<Status>;
        for _ in 0..100 {
            assert!(cache.recent(PATIENCE, never).await.is_none(), "the same read is under way, and has had its time");
        }
        answer.send(reads.next()).expect("the read goes on");
        tokio::task::yield_now().await;
        let status = cache.recent(PATIENCE, never).await.expect("what it brought");
        assert_eq!(status.boot_number, 1);
    }

    #[tokio::test]
    async fn all_who_ask_at_once_share_a_read() {
        let (cache, reads) = (StatusCache::default(), Reads::default());
        let (answer, answered) = oneshot::channel::<Status>();
        let first = cache.recent(PATIENCE, || async { answered.await.expect("an answer") });
        let others = async {
            let other = || cache.recent(PATIENCE, || async { panic!("a second read") });
            let send = async { answer.send(reads.next()).expect("heard") };
            tokio::join!(other(), other(), send)
        };
        let (first, (second, third, ())) = tokio::join!(first, others);
        assert!([first, second, third].into_iter().all(|status| status.is_some_and(|s| s.boot_number == 1)));
    }

    #[tokio::test]
    async fn a_read_that_panics_gives_the_turn_back() {
        let (cache, reads) = (StatusCache::default(), Reads::default());
        let broken = || async { panic!("on purpose") };
        assert!(cache.recent(PATIENCE, broken).await.is_none());
        assert_eq!(reads.ask(&cache).await, Some(1));
    }
}
