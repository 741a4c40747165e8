//! Group commit: one writer takes all that waits, never waits for more, commits, and answers each waiter.
//!
//! Waiting for a fuller batch was measured and costs more than half of the rate; while one commit runs, the next batch
//! gathers by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

use super::batch::Queued;
use super::shared::{Shared, WriterStats};
use super::ticket::Ticket;
use crate::store::backend::{Held, Outage};
use crate::store::rows::Write;
use crate::store::totals::Fold;

/// How many writes may wait; a full queue refuses calls long before (see [`Writer::admits`]).
pub const CAPACITY: usize = 65_536;

/// The queue's entrance.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Queued>,
    shared: Arc<Shared>,
}

impl Writer {
    pub(in crate::store) fn new(
        fold: Arc<Fold>,
        outage: Arc<Outage>,
        held: Arc<Held>,
    ) -> (Self, mpsc::Receiver<Queued>, Arc<Shared>) {
        let (queue, receiver) = mpsc::channel(CAPACITY);
        let shared = Arc::new(Shared::new(fold, outage, held));
        (Self { queue, shared: shared.clone() }, receiver, shared)
    }

    /// Puts a write into the queue. A full queue drops it and counts it.
    pub fn submit(&self, write: Write) -> Ticket {
        let (sender, done) = oneshot::channel();
        self.push(Queued { write, done: Some(sender) });
        Ticket::new(done, self.shared.clone())
    }

    /// Puts a write into the queue that nobody waits for.
    pub fn submit_unwatched(&self, write: Write) {
        self.push(Queued { write, done: None });
    }

    fn push(&self, queued: Queued) {
        self.shared.wait_for_one();
        match self.queue.try_send(queued) {
            Ok(()) => {}
            Err(TrySendError::Full(queued)) => self.shared.refuse(queued, "the write queue is full"),
            Err(TrySendError::Closed(queued)) => self.shared.refuse(queued, "the writer has ended"),
        }
    }

    /// Whether one more call may start: the queue is below 80 % and the oldest batch is younger than `grace`.
    pub fn admits(&self, grace: Duration) -> bool {
        self.shared.waiting() < CAPACITY / 5 * 4 && self.shared.oldest() < grace
    }

    /// Waits until all that is queued now is committed, at most for `patience`.
    pub async fn drain(&self, patience: Duration) -> bool {
        let drained = async {
            // A full queue is waited for too.
            let place = self.queue.reserve().await.ok()?;
            let (sender, done) = oneshot::channel();
            self.shared.wait_for_one();
            place.send(Queued { write: Write::Barrier, done: Some(sender) });
            done.await.ok()?.ok()
        };
        matches!(tokio::time::timeout(patience, drained).await, Ok(Some(())))
    }

    /// Takes no more writes; the writer ends when what is queued is committed.
    pub(in crate::store) fn close(&self) {
        self.shared.closing.cancel();
    }

    /// From now on rows belong to this boot.
    pub fn begin_boot(&self, number: i64) {
        self.shared.begin_boot(number);
    }

    /// The counters.
    pub fn stats(&self) -> WriterStats {
        self.shared.stats()
    }
}
