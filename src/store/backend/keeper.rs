//! The thread that looks after a server's SQLite file: it moves the log into the file, and notices within a moment when a
//! file is taken away under the server.
//!
//! A log that was removed still holds what was committed, for whoever has it open. All of that is moved into the file, and
//! every connection is opened anew with a log that others find, too. Meanwhile nothing is written and nothing acknowledged.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::checkpoints::Checkpoints;
use super::error::StoreError;
use super::file::{Found, OpenFile};
use super::lock::FileLock;
use super::outage::{Outage, Work};
use super::pools::{Gate, Pools};
use super::sqlite::{Shelf, SqliteTarget};
use super::workers::Breaker;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// How long whoever reads just now may take to end when every connection is to be closed; then it is tried again.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// All that it needs to know of an open file.
#[derive(Debug)]
pub(in crate::store) struct Keeper {
    pub(in crate::store) target: SqliteTarget,
    pub(in crate::store) file: Arc<OpenFile>,
    pub(in crate::store) lock: Arc<FileLock>,
    pub(in crate::store) pools: Arc<Pools>,
    /// Where the writer thread has its connection.
    pub(in crate::store) shelf: Shelf,
    pub(in crate::store) gate: Gate,
    pub(in crate::store) outage: Arc<Outage>,
    pub(in crate::store) runtime: Handle,
}

/// The thread at work.
struct Watch {
    keeper: Keeper,
    /// `None` while all connections are closed.
    checkpoints: Option<Checkpoints>,
    /// What was found last.
    found: Found,
    /// When the log is looked at next.
    due: Instant,
}

impl Keeper {
    /// What the thread does, until the bell is gone.
    ///
    /// # Errors
    /// When it cannot connect.
    pub(in crate::store) fn work(self) -> Result<impl FnOnce(Receiver<()>, Breaker) + Send + 'static, StoreError> {
        let checkpoints = Some(self.connect()?);
        let mut watch = Watch { keeper: self, checkpoints, found: Found::Whole, due: Instant::now() };
        Ok(move |bell: Receiver<()>, breaker: Breaker| {
            while let Err(RecvTimeoutError::Timeout) = bell.recv_timeout(EVERY) {
                breaker.check();
                watch.turn();
            }
        })
    }

    fn connect(&self) -> Result<Checkpoints, StoreError> {
        Checkpoints::new(&self.target, self.gate.clone(), self.file.log(), self.lock.clone())
    }
}

impl Watch {
    fn turn(&mut self) {
        let found = self.keeper.file.look();
        let before = std::mem::replace(&mut self.found, found);
        match found {
            Found::Whole if before == Found::Whole => self.look_at_log(),
            Found::Whole => self.note_outcome(&Ok(())),
            Found::Torn => {
                let outcome = self.mend();
                if outcome.is_ok() {
                    self.found = Found::Whole;
                    tracing::warn!("the database's log is there again: all that was committed is in its file");
                }
                self.note_outcome(&outcome);
            }
            // It is put back by whoever took it. What is still in the log goes along with it.
            Found::Gone if before != Found::Gone => {
                self.note_outcome(&self.keeper.file.check());
                if let Some(checkpoints) = &mut self.checkpoints {
                    _ = checkpoints.empty();
                }
            }
            Found::Gone => {}
        }
    }

    fn note_outcome(&self, outcome: &Result<(), StoreError>) {
        self.keeper.outage.note(Work::Files, outcome.as_ref().copied());
    }

    fn look_at_log(&mut self) {
        let Some(checkpoints) = &mut self.checkpoints else { return };
        if Instant::now() < self.due {
            return;
        }
        let size = checkpoints.size();
        self.keeper.file.note_log(size);
        self.due = Instant::now() + checkpoints.run(size);
    }

    /// Moves what was committed into the file, and opens every connection anew. What fails is tried again at the next turn.
    fn mend(&mut self) -> Result<(), StoreError> {
        let Keeper { target, file, pools, shelf, gate, runtime, .. } = &self.keeper;
        self.note_outcome(&file.check());
        let _turn = gate.blocking_lock();
        if let Some(checkpoints) = &mut self.checkpoints {
            if !checkpoints.empty()? {
                return Err(StoreError::unavailable("a reader keeps the removed log from being moved"));
            }
            // From here on the removed log is empty, and nobody may go on with it.
            let closed = runtime.block_on(async { timeout(CLOSE_PATIENCE, pools.close()).await });
            closed.map_err(|_| StoreError::unavailable("somebody goes on reading the removed log"))?;
            shelf.take();
            self.checkpoints = None;
        }
        let reopened = runtime.block_on(pools.open_anew());
        reopened?;
        shelf.put(target.connect()?);
        let checkpoints = self.keeper.connect()?;
        file.know_beside();
        self.checkpoints = Some(checkpoints);
        Ok(())
    }
}
