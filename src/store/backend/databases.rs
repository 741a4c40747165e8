//! The two databases behind one type.

use std::sync::{Arc, Mutex};

use sqlx::PgPool;

use super::dialect::Dialect;
use super::error::StoreError;
use super::file::OpenFile;
use super::lock::FileLock;
use super::order::Hands;
use super::pools::{Gate, Pools};

/// The pools of one open database.
#[derive(Debug)]
pub(in crate::store) enum Backend {
    Sqlite(SqliteBackend),
    Postgres(PgBackend),
}

/// PostgreSQL.
#[derive(Debug)]
pub(in crate::store) struct PgBackend {
    pub(in crate::store) pool: PgPool,
    /// A transaction pooler stands in between: nothing is prepared, and every statement is in a transaction.
    pub(in crate::store) pooled: bool,
    pub(in crate::store) hands: Hands,
}

/// SQLite: many readers, one writing connection, and the gate at which it takes turns with the group-commit writer.
#[derive(Debug)]
pub(in crate::store) struct SqliteBackend {
    pub(in crate::store) pools: Arc<Pools>,
    pub(in crate::store) gate: Gate,
    /// `None` for a database in memory.
    pub(in crate::store) file: Option<Arc<OpenFile>>,
    /// Held for as long as the store is open: no second server on this file.
    pub(in crate::store) lock: Mutex<Option<Arc<FileLock>>>,
}

impl Backend {
    /// Which SQL it understands.
    pub(in crate::store) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

impl SqliteBackend {
    /// Whether what was committed just now is in the file that others will find.
    pub(in crate::store) fn check_file(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }
}
