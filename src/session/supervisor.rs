//! Everything that a server does in the background has a name and an owner. A loop that breaks is told and started again;
//! a stop waits for all of them.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The pause before a loop that broke is started again, at first and at most: it doubles with each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A loop that ran for this long before it broke is taken for sound.
const SOUND: Duration = Duration::from_mins(5);

/// The owner of the background work of one server.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// Asks the work to end at its next pause.
    stopping: CancellationToken,
    /// Drops what has not ended by itself.
    abandoned: CancellationToken,
    tasks: TaskTracker,
    /// By which tests break a task.
    breakers: Mutex<HashMap<&'static str, Arc<Notify>>>,
}

/// What a task is given to end itself by.
#[derive(Debug, Clone)]
pub struct Stopping(CancellationToken);

impl Stopping {
    /// Waits for something, such as the next turn of a loop; `None` when the server stops first.
    pub async fn or<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(waiting).await
    }
}

impl Supervisor {
    /// Runs a loop that ends only with the server. It must be able to begin anew at any time: when it breaks or ends
    /// before, that is told, and it is started again after a pause.
    pub fn keep<F>(&self, name: &'static str, work: impl Fn(Stopping) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stopping, breaker) = (self.stopping.clone(), self.breaker(name));
        self.spawn(async move {
            let mut pause = FIRST_PAUSE;
            while !stopping.is_cancelled() {
                let began = Instant::now();
                let outcome = caught(work(Stopping(stopping.clone())), &breaker).await;
                if stopping.is_cancelled() {
                    return;
                }
                if began.elapsed() > SOUND {
                    pause = FIRST_PAUSE;
                }
                let why = outcome.err().unwrap_or_else(|| "it ended by itself".to_owned());
                tracing::error!(task = name, "the task {name:?} broke: {why}; it is started again in {pause:?}");
                _ = stopping.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        });
    }

    /// Runs something once. It is dropped where it waits when the server stops.
    pub fn once(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let (stopping, breaker) = (self.stopping.clone(), self.breaker(name));
        self.spawn(async move {
            let work = async move { _ = stopping.run_until_cancelled(work).await };
            if let Err(why) = caught(work, &breaker).await {
                tracing::error!(task = name, "the task {name:?} broke: {why}; it is not started again");
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let abandoned = self.abandoned.clone();
        self.tasks.spawn(async move { _ = abandoned.run_until_cancelled(work).await });
    }

    /// Ends all of it, and returns when it has ended. What has not by `patience` is dropped where it waits, and told.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "background work that did not end within {patience:?} is dropped");
            self.abandoned.cancel();
            self.tasks.wait().await;
        }
    }

    /// Makes a task panic, for tests of what happens then; `false` when there is none of that name.
    pub fn break_task(&self, name: &str) -> bool {
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.get(name).inspect(|breaker| breaker.notify_one()).is_some()
    }

    fn breaker(&self, name: &'static str) -> Arc<Notify> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
    }
}

/// Runs it to its end; a panic becomes its own words.
async fn caught(work: impl Future<Output = ()>, breaker: &Notify) -> Result<(), String> {
    let breakable = async {
        tokio::select! {
            () = work => {}
            () = breaker.notified() => panic!("broken on purpose"),
        }
    };
    AssertUnwindSafe(breakable).catch_unwind().await.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_breaks_begins_anew_and_what_ends_does_too() {
        let (supervisor, begun) = (Supervisor::default(), Arc::new(AtomicU32::new(0)));
        let (enough, counted) = (Arc::new(Notify::new()), begun.clone());
        let told = enough.clone();
        supervisor.keep("loop", move |stopping| {
            let (turn, told) = (counted.fetch_add(1, SeqCst), told.clone());
            async move {
                match turn {
                    0 => panic!("the first time"),
                    1 => {}
                    _ => {
                        told.notify_one();
                        stopping.or(std::future::pending::<()>()).await;
                    }
                }
            }
        });
        tokio::time::timeout(SOON, enough.notified()).await.expect("begun a third time");
        assert!(supervisor.break_task("loop") && !supervisor.break_task("another"));
        tokio::time::timeout(SOON, enough.notified()).await.expect("begun a fourth time");
        supervisor.stop(SOON).await;
        assert_eq!(begun.load(SeqCst), 4);
        assert!(supervisor.tasks.is_empty(), "joined");
    }

    #[tokio::test]
    async fn what_does_not_end_is_dropped_where_it_waits() {
        let (supervisor, token) = (Supervisor::default(), Arc::new(()));
        let held = token.clone();
        supervisor.keep("deaf", move |_| {
            let held = held.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
            }
        });
        supervisor.stop(Duration::from_millis(10)).await;
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn a_panic_keeps_its_words() {
        for panic in
            [std::panic::catch_unwind(|| panic!("as it is")), std::panic::catch_unwind(|| panic!("as it {}", "is"))]
        {
            assert_eq!(words(panic.expect_err("a panic").as_ref()), "as it is");
        }
        assert_eq!(words(&7), "a panic without words");
    }
}
