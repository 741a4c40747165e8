//! The connections to a SQLite file that are shared: many that read, one that writes. They can be closed and opened anew
//! under whoever uses them, because a file that is removed beside the database asks for that.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};
use tokio::sync::Mutex;

use super::options::Role;
use super::sqlite::SqliteTarget;

/// Reading connections of a server, and of anybody else, who asks one question after the other.
const READERS: u32 = 4;
const ASKERS: u32 = 2;
/// How many rows of an answer may wait for whoever asked.
const BUFFERED_ROWS: usize = 1000;

/// Whoever holds it may write to the SQLite file. Fair, unlike SQLite's own busy handler, which sleeps and hopes.
pub(in crate::store) type Gate = Arc<Mutex<()>>;

/// How to connect.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connect {
    pub(in crate::store) target: SqliteTarget,
    pub(in crate::store) role: Role,
}

impl Connect {
    /// What every connection has, and a look into the file needs.
    pub(in crate::store) fn plain(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.target.path)
            .busy_timeout(Duration::from_secs(5))
            .synchronous(if self.target.sync_full { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
            .foreign_keys(true)
            .disable_statement_logging()
    }

    fn options(&self) -> SqliteConnectOptions {
        let options = match self.target.vfs {
            Some(vfs) => self.plain().vfs(vfs).create_if_missing(true),
            None if self.target.read_only => self.plain().read_only(true),
            None => self.plain().journal_mode(SqliteJournalMode::Wal),
        };
        if self.target.own_checkpoints { options.pragma("wal_autocheckpoint", "0") } else { options }
    }

    fn pool() -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .min_connections(1)
            .acquire_timeout(Duration::from_secs(3))
            .idle_timeout(None)
            .max_lifetime(None)
            // There is no network in between that could break.
            .test_before_acquire(false)
    }

    /// The one connection that writes.
    pub(in crate::store) async fn writer(&self) -> sqlx::Result<SqlitePool> {
        Self::pool().max_connections(1).connect_with(self.options()).await
    }

    /// Those that read.
    pub(in crate::store) async fn readers(&self) -> sqlx::Result<SqlitePool> {
        let options = self.options();
        let reading = if self.target.vfs.is_none() { options.read_only(true) } else { options };
        // All rows are wanted: to wait for each of them to be taken costs more than to read it.
        let reading = reading.row_buffer_size(BUFFERED_ROWS);
        let most = if self.role == Role::Server { READERS } else { ASKERS };
        Self::pool().max_connections(most).connect_with(reading).await
    }
}

/// The pools of one open file.
#[derive(Debug)]
pub(in crate::store) struct Pools {
    connect: Connect,
    now: RwLock<Pair>,
}

#[derive(Debug, Clone)]
struct Pair {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Pools {
    pub(in crate::store) fn new(connect: Connect, writer: SqlitePool, readers: SqlitePool) -> Self {
        Self { connect, now: RwLock::new(Pair { readers, writer }) }
    }

    /// Connections that read.
    pub(in crate::store) fn readers(&self) -> SqlitePool {
        self.now.read().unwrap_or_else(PoisonError::into_inner).readers.clone()
    }

    /// The connection that writes.
    pub(in crate::store) fn writer(&self) -> SqlitePool {
        self.now.read().unwrap_or_else(PoisonError::into_inner).writer.clone()
    }

    /// Whether none of them may write.
    pub(in crate::store) fn are_read_only(&self) -> bool {
        self.connect.target.read_only
    }

    /// Closes all connections, once whoever uses one has given it back. Until they are opened anew, none can be had.
    pub(in crate::store) async fn close(&self) {
        let Pair { readers, writer } = self.now.read().unwrap_or_else(PoisonError::into_inner).clone();
        readers.close().await;
        writer.close().await;
    }

    /// Opens new ones in the place of those that were closed.
    pub(in crate::store) async fn open_anew(&self) -> sqlx::Result<()> {
        let writer = self.connect.writer().await?;
        let readers = self.connect.readers().await?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Pair { readers, writer };
        Ok(())
    }
}
