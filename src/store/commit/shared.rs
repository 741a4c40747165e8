//! What the writing side and the waiting side both see: counters, and what is in hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Outcome, Queued};
use super::dropped::Dropped;
use crate::store::backend::{Held, Outage, StoreError, Work};
use crate::store::rows::{Withdrawal, Write};
use crate::store::totals::Fold;

/// What the writing side and the waiting side both see.
#[derive(Debug)]
pub(in crate::store) struct Shared {
    pub(super) fold: Arc<Fold>,
    pub(in crate::store) outage: Arc<Outage>,
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
    /// No write is taken any more, and what is queued is the last.
    pub(super) closing: CancellationToken,
}

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
}

impl Shared {
    pub(super) fn new(fold: Arc<Fold>, outage: Arc<Outage>, held: Arc<Held>) -> Self {
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
            _ = done.send(Err(StoreError::unavailable(reason)));
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

    /// An answer leaves before its row is committed.
    pub(super) fn defer_one(&self) {
        self.deferred.fetch_add(1, Relaxed);
    }

    /// The counters.
    pub(super) fn stats(&self) -> WriterStats {
        WriterStats {
            waiting: self.waiting.load(Relaxed),
            oldest: self.oldest(),
            committed: self.committed.load(Relaxed),
            batches: self.batches.load(Relaxed),
            commit_time: Duration::from_micros(self.commit_micros.load(Relaxed)),
            deferred: self.deferred.load(Relaxed),
            dropped: self.dropped.all(),
        }
    }

    /// How many writes wait now.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// One more write waits.
    pub(super) fn wait_for_one(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    /// From now on rows belong to this boot.
    pub(super) fn begin_boot(&self, number: i64) {
        self.boot.store(number, Relaxed);
    }

    /// How long the batch in hand has been in hand.
    pub(super) fn oldest(&self) -> Duration {
        match self.busy_since.load(Relaxed) {
            0 => Duration::ZERO,
            since => self.start.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }
}
