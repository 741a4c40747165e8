//! What is committed together, and where it goes.

use tokio::sync::oneshot;

use crate::store::backend::StoreError;
use crate::store::rows::{Withdrawal, Write};

/// Writes that are committed together, numbered.
#[derive(Debug, Default)]
pub(in crate::store) struct Batch {
    pub(in crate::store) writes: Vec<Queued>,
    /// The boot whose rows these are.
    pub(in crate::store) boot: i64,
    /// The number of the first write; the next have the next.
    pub(in crate::store) first_seq: i64,
    /// Somebody held rows that it needs when it was last tried.
    pub(in crate::store) is_held: bool,
}

/// Where batches go.
pub(in crate::store) trait Sink: Send + 'static {
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
pub(in crate::store) struct Queued {
    pub(in crate::store) write: Write,
    pub(in crate::store) done: Option<oneshot::Sender<Outcome>>,
}

/// What became of a write.
pub(in crate::store) type Outcome = Result<(), StoreError>;

/// A session whose `initialize` was answered 503 meanwhile is not opened; one that may have been written already, by a
/// commit whose answer was lost, is ended. Its place in the batch stays, and with it the numbers of the others.
pub(in crate::store) fn withdraw(batch: &mut Batch, may_be_written: bool) {
    for queued in &mut batch.writes {
        let given_up = queued.done.as_ref().is_some_and(oneshot::Sender::is_closed);
        if given_up && let Write::Open(row) = &queued.write {
            queued.write = if may_be_written { Write::Withdraw(Box::new(Withdrawal::of(row))) } else { Write::Barrier };
        }
    }
}
