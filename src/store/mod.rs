//! SQL on two databases behind one door.
//!
//! [`Store`] is concrete: an enum of two backends inside, one SQL text wherever both understand it (`$1` works on both).
//! What the hot path writes goes through one group-commit [`Writer`]; everything else is a short transaction of its own.
//! On SQLite both take turns at a gate, because that database has one writer at a time.
//!
//! The rooms, from the ground up; each leans only on those before it:
//!
//! 1. `backend`: the two databases, and how they are read and written in transactions
//! 2. [`rows`]: what is written
//! 3. [`totals`]: what is summed over rows, and when sessions were used
//! 4. [`commit`]: a row's way to the disk
//! 5. [`Store`], the handle of all these, on which the rooms above hang their methods
//! 6. [`boots`]: runs of a server, and outages
//! 7. [`tail`], [`sessions`], [`space`], [`projects`], [`reports`]: what is asked of a store

mod backend;
pub mod boots;
pub mod commit;
mod open;
pub mod projects;
pub mod reports;
pub mod rows;
pub mod sessions;
pub mod space;
pub mod tail;
pub mod totals;

use std::sync::Arc;
use std::time::Duration;

pub use backend::{Broken, Held, Location, OpenError, OpenOptions, Outage, Reason, Role, Scratch, StoreError, Work};

use backend::{Backend, Dialect, Foreign, Workers};
use commit::Writer;
use totals::Totals;

/// A batch that takes longer than this keeps everybody waiting.
const STALLED: Duration = Duration::from_secs(2);

/// An open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    location: Location,
    /// Tables that are not ours, in our shape.
    foreign: Option<Foreign>,
    backend: Arc<Backend>,
    writer: Writer,
    totals: Totals,
    outage: Arc<Outage>,
    held: Arc<Held>,
    workers: Workers,
}

impl Store {
    /// Whether its tables are somebody else's: an original Archon's, opened to look only (see [`Role::Reader`]).
    pub fn is_foreign(&self) -> bool {
        self.inner.foreign.is_some()
    }

    /// Whether it keeps what happens: events, and runs of servers with their rules.
    pub fn has_events(&self) -> bool {
        !self.is_foreign()
    }

    /// Whether it keeps sums over request rows.
    pub fn has_sums(&self) -> bool {
        !self.is_foreign()
    }

    /// Whether its request rows have numbers that grow as they are written.
    pub fn has_numbers(&self) -> bool {
        self.inner.foreign.as_ref().is_none_or(|foreign| foreign.has_numbers)
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// Whether several servers may use it at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend(), Backend::Postgres(_))
    }

    /// Whether the database takes what we write.
    pub fn outage(&self) -> &Outage {
        &self.inner.outage
    }

    /// Whether somebody's open transaction keeps rows from us.
    pub fn held(&self) -> &Held {
        &self.inner.held
    }

    /// Whether a session that is opened now would be written in time: nothing fails, and no batch hangs.
    pub fn takes_writes(&self) -> bool {
        !self.inner.outage.keeps_rows_out() && self.writer().stats().oldest < STALLED
    }

    /// Returns when something has ended by itself without which no row is written any more.
    pub async fn broken(&self) -> Broken {
        self.inner.workers.broken().await
    }

    /// Makes a part of it panic, for tests of what happens then: `writer`, `writer thread`, `checkpoint thread`. `false`
    /// when there is none of that name.
    pub fn break_worker(&self, name: &str) -> bool {
        self.inner.workers.break_worker(name)
    }

    /// The group-commit writer.
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// What is summed over rows.
    pub fn totals(&self) -> &Totals {
        &self.inner.totals
    }

    /// The size of SQLite's write-ahead log when it was last looked at.
    pub fn log_bytes(&self) -> u64 {
        match self.backend() {
            Backend::Sqlite(sqlite) => sqlite.file.as_ref().map_or(0, |file| file.log_bytes()),
            Backend::Postgres(_) => 0,
        }
    }

    fn backend(&self) -> &Backend {
        &self.inner.backend
    }

    /// Somebody else's tables, if it has those.
    fn foreign(&self) -> Option<&Foreign> {
        self.inner.foreign.as_ref()
    }

    fn dialect(&self) -> Dialect {
        self.backend().dialect()
    }
}
