//! The task and the threads behind an open database: none ends unnoticed, and a close waits for all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Something ended by itself without which no row is written any more. What was acknowledged is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {0} of the database broke: no row can be written any more; every acknowledged row is stored")]
pub struct Broken(&'static str);

/// The workers of one open database.
#[derive(Debug, Default)]
pub(in crate::store) struct Workers {
    broken: watch::Sender<Option<Broken>>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    /// Threads that sleep wake and end when it is dropped.
    bell: Option<Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    breakers: HashMap<&'static str, Breaker>,
}

/// By which tests break a worker.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Breaker(Arc<AtomicBool>);

impl Breaker {
    /// Panics if that was ordered. A worker asks at each turn.
    pub(in crate::store) fn check(&self) {
        assert!(!self.0.load(Relaxed), "broken on purpose");
    }
}

/// Tells that a worker has ended, unless it was done.
struct Duty {
    name: &'static str,
    broken: watch::Sender<Option<Broken>>,
    done: bool,
}

impl Duty {
    fn over(mut self) {
        self.done = true;
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.done {
            // The first one is the cause.
            self.broken.send_if_modified(|broken| broken.is_none() && broken.replace(Broken(self.name)).is_none());
        }
    }
}

impl Workers {
    /// Runs a task until it is done.
    pub(in crate::store) fn task<F>(&self, name: &'static str, work: impl FnOnce(Breaker) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (duty, work) = (self.duty(name), work(self.breaker(name)));
        let task = tokio::spawn(async move {
            work.await;
            duty.over();
        });
        self.running().tasks.push(task);
    }

    /// Runs a thread until it is done.
    pub(in crate::store) fn thread(
        &self,
        name: &'static str,
        work: impl FnOnce(Breaker) + Send + 'static,
    ) -> std::io::Result<()> {
        let (duty, breaker) = (self.duty(name), self.breaker(name));
        let thread = std::thread::Builder::new().name(format!("archonctl {name}")).spawn(move || {
            work(breaker);
            duty.over();
        })?;
        self.running().threads.push(thread);
        Ok(())
    }

    /// What a thread may sleep at: it is cut off when the workers are to end. For one thread alone.
    pub(in crate::store) fn bell(&self) -> Receiver<()> {
        let (bell, heard) = channel();
        self.running().bell = Some(bell);
        heard
    }

    /// Returns when one has ended by itself.
    pub(in crate::store) async fn broken(&self) -> Broken {
        let mut broken = self.broken.subscribe();
        let told = broken.wait_for(Option::is_some).await.ok().and_then(|broken| *broken);
        match told {
            Some(broken) => broken,
            // The sender is ours.
            None => std::future::pending().await,
        }
    }

    /// Ends those that sleep, and waits until all have ended; `false` when they have not by `patience`.
    pub(in crate::store) async fn joined(&self, patience: Duration) -> bool {
        let (tasks, threads) = {
            let mut running = self.running();
            running.bell = None;
            (std::mem::take(&mut running.tasks), std::mem::take(&mut running.threads))
        };
        let joined = async {
            for task in tasks {
                // One that broke was told.
                _ = task.await;
            }
            let threads = tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| _ = thread.join()));
            _ = threads.await;
        };
        tokio::time::timeout(patience, joined).await.is_ok()
    }

    /// Makes a worker panic at its next turn; `false` when there is none of that name.
    pub(in crate::store) fn break_worker(&self, name: &str) -> bool {
        self.running().breakers.get(name).inspect(|breaker| breaker.0.store(true, Relaxed)).is_some()
    }

    fn duty(&self, name: &'static str) -> Duty {
        Duty { name, broken: self.broken.clone(), done: false }
    }

    fn breaker(&self, name: &'static str) -> Breaker {
        self.running().breakers.entry(name).or_default().clone()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
