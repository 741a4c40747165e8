//! SQL on two databases behind one door.
//!
//! [`Store`] is concrete: an enum of two backends inside, one SQL text wherever both understand it (`$1` works on both).
//! What the hot path writes goes through one group-commit [`writer`]; everything else is a short transaction of its own.
//! On SQLite both take turns at a gate, because that database has one writer at a time.

mod aside;
mod backend;
pub mod boots;
mod checkpoints;
mod claim;
mod close;
mod codec;
mod commits;
mod copy;
pub mod counts;
pub mod credits;
mod dropped;
pub mod ending;
mod ending_many;
pub mod error;
pub mod feed;
mod file;
mod flush;
mod flush_rows;
mod fold;
pub mod held;
mod held_rows;
mod host;
mod keeper;
mod leftovers;
pub mod location;
mod lock;
pub mod look;
pub mod lookup;
mod open;
mod order;
pub mod outage;
mod owned;
mod pooler;
mod pools;
mod postgres;
pub mod projects;
pub mod reaping;
pub mod reports;
pub mod retention;
pub mod rows;
pub mod schema;
pub mod scratch;
mod sqlite;
mod statements;
pub mod streams;
mod sums;
pub mod tail;
pub mod ticket;
pub mod touches;
mod workers;
pub mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use error::{OpenError, StoreError};
pub use location::Location;
pub use open::{OpenOptions, Role};
pub use workers::Broken;

use backend::Backend;
use fold::Fold;
use held::Held;
use outage::Outage;
use workers::Workers;
use writer::Writer;

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
    tables: Tables,
    backend: Backend,
    writer: Writer,
    fold: Arc<Fold>,
    outage: Arc<Outage>,
    held: Arc<Held>,
    workers: Workers,
}

/// Whose tables a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Ours.
    Ours,
    /// An original Archon's: opened to look only (see [`Role::Reader`]), and fewer columns.
    Original,
}

impl Store {
    /// Whose tables it holds.
    pub fn tables(&self) -> Tables {
        self.inner.tables
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// Whether several servers may use it at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.inner.backend, Backend::Postgres(_))
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
}
