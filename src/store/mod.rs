//! SQL on two databases behind one door.
//!
//! [`Store`] is concrete: an enum of two backends inside, one SQL text wherever both understand it (`$1` works on both).
//! What the hot path writes goes through one group-commit [`writer`]; everything else is a short transaction of its own.
//! On SQLite both take turns at a gate, because that database has one writer at a time.

mod backend;
pub mod boots;
mod codec;
pub mod counts;
pub mod ending;
mod ending_many;
pub mod error;
pub mod fold;
pub mod location;
pub mod lookup;
mod open;
mod postgres;
pub mod projects;
pub mod reports;
pub mod rows;
pub mod schema;
mod sqlite;
mod statements;
pub mod writer;

use std::sync::Arc;

pub use error::{OpenError, StoreError};
pub use location::Location;
pub use open::{OpenOptions, Role};

use backend::Backend;
use fold::Fold;
use writer::Writer;

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

    /// The group-commit writer.
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }
}
