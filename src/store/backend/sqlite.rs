//! A connection of its own to SQLite, for the threads that commit and that move the log.
//!
//! They use `rusqlite` (over the same bundled library as sqlx): a commit of sqlx's costs two hops to its worker thread and a
//! statement over JSON, which together halve the rate (`scripts/bench.sh`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long we wait for another program that writes; then it is an outage, and told.
const BUSY: Duration = Duration::from_secs(2);

/// How to open connections to one database.
#[derive(Debug, Clone)]
pub(in crate::store) struct SqliteTarget {
    pub(in crate::store) path: PathBuf,
    /// `memdb` for a database in memory.
    pub(in crate::store) vfs: Option<&'static str>,
    /// Survive power loss, not just the end of the process.
    pub(in crate::store) sync_full: bool,
    /// Somebody else's tables are looked at: the file is not even opened to write.
    pub(in crate::store) read_only: bool,
    /// A server moves the log into the file on a thread of its own; others leave that to SQLite's commits.
    pub(in crate::store) own_checkpoints: bool,
}

impl SqliteTarget {
    pub(in crate::store) fn connect(&self) -> rusqlite::Result<Connection> {
        let access = if self.read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs)?,
            None => Connection::open_with_flags(&self.path, flags)?,
        };
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "synchronous", if self.sync_full { "FULL" } else { "NORMAL" })?;
        if self.own_checkpoints {
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        }
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}

/// Where the writer thread finds its connection, and where it may be taken away while nothing is written.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Shelf(Arc<Mutex<Option<Connection>>>);

impl Shelf {
    pub(in crate::store) fn put(&self, connection: Connection) {
        *self.lock() = Some(connection);
    }

    /// Closes it.
    pub(in crate::store) fn take(&self) {
        drop(self.lock().take());
    }

    pub(in crate::store) fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
