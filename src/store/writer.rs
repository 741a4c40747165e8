//! Group commit: one writer takes all that waits, never waits for more, commits, and answers each waiter.
//!
//! Waiting for a fuller batch was measured and costs more than half of the rate; while one commit runs, the next batch
//! gathers by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::dropped::Dropped;
use super::fold::Fold;
use super::held::Held;
use super::outage::{Outage, Work};
use super::rows::{Withdrawal, Write};
use super::ticket::Ticket;

/// So many writes may wait; a full queue refuses calls long before (see [`Writer::admits`]).
pub const CAPACITY: usize = 65_536;

/// The queue's entrance.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Queued>,
    shared: Arc<Shared>,
}

/// What the writing side and the waiting side both see.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) fold: Arc<Fold>,
    pub(super) outage: Arc<Outage>,
    pub(super) held: Arc<Held>,
    start: Instant,
    waiting: AtomicUsize,
    /// Milliseconds after `start` at which the batch in hand was taken, plus one; zero between batches.
    busy_since: AtomicU64,
    /// The boot whose rows these are; set when the boot row is written, before any request is served.
    boot: AtomicI64,
    next_seq: AtomicI64,
    committed: AtomicU64,
    batches: AtomicU64,
    commit_micros: AtomicU64,
    deferred: AtomicU64,
    dropped: Dropped,
    log_bytes: AtomicU64,
    /// No write is taken any more, and what is queued is the last.
    pub(super) closing: CancellationToken,
}

/// Writes that are committed together, numbered.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) writes: Vec<Queued>,
    /// The boot whose rows these are.
    pub(super) boot: i64,
    /// The number of the first write; the next have the next.
    pub(super) first_seq: i64,
    /// Somebody held rows that it needs when it was last tried.
    pub(super) is_held: bool,
}

/// Where batches go.
pub(super) trait Sink: Send + 'static {
    /// The largest batch that is worth one commit.
    const MAX_BATCH: usize;

    /// Commits a batch, each write that the database does not refuse; gives the batch back with what became of each.
    /// [`StoreError::Held`]: it was not written, because somebody holds rows that it needs. `None` when whoever writes is
    /// gone, and the batch with it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it may have committed all or nothing.
    fn write(&mut self, batch: Batch)
    -> impl Future<Output = Option<(Batch, Result<Vec<Outcome>, StoreError>)>> + Send;
}

/// A write with its place in the order, and who waits for it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) write: Write,
    pub(super) done: Option<oneshot::Sender<Outcome>>,
}

/// What became of a write.
pub(super) type Outcome = Result<(), StoreError>;

/// The writer's counters since start.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriterStats {
    /// Writes that wait now.
    pub waiting: usize,
    /// How long the batch in hand has been in hand.
    pub oldest: Duration,
    /// Writes committed.
    pub committed: u64,
    /// Commits.
    pub batches: u64,
    /// Time spent in commits.
    pub commit_time: Duration,
    /// Answers that left before their row was committed.
    pub deferred: u64,
    /// Rows that could not be stored at all.
    pub dropped: u64,
    /// The size of SQLite's write-ahead log.
    pub log_bytes: u64,
}

impl Writer {
    pub(super) fn new(
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
        Ticket { done, shared: self.shared.clone() }
    }

    /// Puts a write into the queue that nobody waits for.
    pub fn submit_unwatched(&self, write: Write) {
        self.push(Queued { write, done: None });
    }

    fn push(&self, queued: Queued) {
        self.shared.waiting.fetch_add(1, Relaxed);
        match self.queue.try_send(queued) {
            Ok(()) => {}
            Err(TrySendError::Full(queued)) => self.shared.refuse(queued, "the write queue is full"),
            Err(TrySendError::Closed(queued)) => self.shared.refuse(queued, "the writer has ended"),
        }
    }

    /// Whether one more call may start: the queue is below 80 % and the oldest batch is younger than `grace`.
    pub fn admits(&self, grace: Duration) -> bool {
        let stats = &self.shared;
        stats.waiting.load(Relaxed) < CAPACITY / 5 * 4 && stats.oldest() < grace
    }

    /// Waits until all that is queued now is committed, at most for `patience`.
    pub async fn drain(&self, patience: Duration) -> bool {
        let drained = async {
            // A full queue is waited for too.
            let place = self.queue.reserve().await.ok()?;
            let (sender, done) = oneshot::channel();
            self.shared.waiting.fetch_add(1, Relaxed);
            place.send(Queued { write: Write::Barrier, done: Some(sender) });
            done.await.ok()?.ok()
        };
        matches!(tokio::time::timeout(patience, drained).await, Ok(Some(())))
    }

    /// Takes no more writes; the writer ends when what is queued is committed.
    pub(super) fn close(&self) {
        self.shared.closing.cancel();
    }

    /// From now on rows belong to this boot.
    pub fn begin_boot(&self, number: i64) {
        self.shared.boot.store(number, Relaxed);
    }

    /// The counters.
    pub fn stats(&self) -> WriterStats {
        let shared = &self.shared;
        WriterStats {
            waiting: shared.waiting.load(Relaxed),
            oldest: shared.oldest(),
            committed: shared.committed.load(Relaxed),
            batches: shared.batches.load(Relaxed),
            commit_time: Duration::from_micros(shared.commit_micros.load(Relaxed)),
            deferred: shared.deferred.load(Relaxed),
            dropped: shared.dropped.all(),
            log_bytes: shared.log_bytes.load(Relaxed),
        }
    }
}

impl Shared {
    fn new(fold: Arc<Fold>, outage: Arc<Outage>, held: Arc<Held>) -> Self {
        Self {
            fold,
            outage,
            held,
            start: Instant::now(),
            waiting: AtomicUsize::new(0),
            busy_since: AtomicU64::new(0),
            boot: AtomicI64::new(0),
            next_seq: AtomicI64::new(1),
            committed: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            commit_micros: AtomicU64::new(0),
            deferred: AtomicU64::new(0),
            dropped: Dropped::new(),
            log_bytes: AtomicU64::new(0),
            closing: CancellationToken::new(),
        }
    }

    /// Numbers the writes of a batch. They are committed in this order too, so no row comes in below the fold's mark.
    pub(super) fn number(&self, batch: &mut Batch) {
        let count = i64::try_from(batch.writes.len()).unwrap_or(i64::MAX);
        batch.boot = self.boot.load(Relaxed);
        batch.first_seq = self.next_seq.fetch_add(count, Relaxed);
    }

    /// A batch is in hand.
    pub(super) fn begin_batch(&self) -> Instant {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.busy_since.store(elapsed + 1, Relaxed);
        Instant::now()
    }

    /// There is no room for a write, or nobody who writes it.
    pub(super) fn refuse(&self, queued: Queued, reason: &str) {
        self.waiting.fetch_sub(1, Relaxed);
        self.dropped.note(reason);
        if let Some(done) = queued.done {
            // Nobody may be waiting any more.
            _ = done.send(Err(StoreError::Unavailable(reason.into())));
        }
    }

    /// The batch is committed, except for what the database refused: rows go into the sums, waiters get their answer. What
    /// is left in the batch is to be written next: the ends of sessions that nobody waits for any more. What was not
    /// written because somebody holds rows that it needs is returned.
    pub(super) fn finish(&self, batch: &mut Batch, outcomes: Vec<Outcome>, began: Instant) -> Vec<Queued> {
        self.count_batch(batch.writes.len(), outcomes.iter().filter(|o| o.is_ok()).count(), began);
        let (mut next, mut held) = (Vec::new(), Vec::new());
        for ((queued, outcome), seq) in batch.writes.drain(..).zip(outcomes).zip(batch.first_seq..) {
            if matches!(outcome, Err(StoreError::Held(_))) {
                held.push(queued);
                continue;
            }
            let is_stored = outcome.is_ok();
            match (&queued.write, &outcome) {
                (Write::Request(request), Ok(())) => self.fold.add(request, seq),
                (_, Ok(())) => {}
                (_, Err(error)) => self.dropped.note(&error.to_string()),
            }
            // The waiter may have given up by its deadline.
            let has_heard = queued.done.is_none_or(|done| done.send(outcome).is_ok());
            if let (Write::Open(row), true, false) = (queued.write, is_stored, has_heard) {
                next.push(Queued { write: Write::Withdraw(Box::new(Withdrawal::of(&row))), done: None });
            }
        }
        self.waiting.fetch_add(next.len() + held.len(), Relaxed);
        // Into the room that it has.
        batch.writes.append(&mut next);
        held
    }

    fn count_batch(&self, size: usize, stored: usize, began: Instant) {
        self.busy_since.store(0, Relaxed);
        self.waiting.fetch_sub(size, Relaxed);
        self.committed.fetch_add(stored as u64, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.commit_micros.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(0), Relaxed);
        self.outage.note(Work::Rows, Ok(()));
        self.dropped.note_stored();
    }

    /// SQLite's write-ahead log was looked at.
    pub(super) fn note_log(&self, bytes: u64) {
        self.log_bytes.store(bytes, Relaxed);
    }

    /// An answer leaves before its row is committed.
    pub(super) fn defer_one(&self) {
        self.deferred.fetch_add(1, Relaxed);
    }

    fn oldest(&self) -> Duration {
        match self.busy_since.load(Relaxed) {
            0 => Duration::ZERO,
            since => self.start.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }
}

/// A session whose `initialize` was answered 503 meanwhile is not opened; one that may have been written already, by a
/// commit whose answer was lost, is ended. Its place in the batch stays, and with it the numbers of the others.
pub(super) fn withdraw(batch: &mut Batch, may_be_written: bool) {
    for queued in &mut batch.writes {
        let given_up = queued.done.as_ref().is_some_and(oneshot::Sender::is_closed);
        if given_up && let Write::Open(row) = &queued.write {
            queued.write = if may_be_written { Write::Withdraw(Box::new(Withdrawal::of(row))) } else { Write::Barrier };
        }
    }
}
