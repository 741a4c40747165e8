//! Closing the connections to a database: a SQLite file then holds everything by itself, and a copy of it is a backup.

use std::sync::PoisonError;
use std::time::Duration;

use super::databases::{Backend, SqliteBackend};
use super::error::StoreError;

/// How long connections may take to be given back and closed.
const PATIENCE: Duration = Duration::from_secs(3);

impl Backend {
    /// Closes every connection, once whoever uses one has given it back; on SQLite the log is emptied before.
    pub(in crate::store) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => in_time(postgres.pool.close()).await,
        }
    }
}

impl SqliteBackend {
    async fn close(&self) -> Result<(), StoreError> {
        if self.pools.writer().is_closed() {
            return Ok(());
        }
        // Readers first: they would keep the log from being emptied.
        let readers = in_time(self.pools.readers().close()).await;
        let has_log = self.file.is_some() && !self.pools.are_read_only();
        let emptied = if has_log { self.empty_log().await } else { Ok(()) };
        // The last connection to be closed removes the log and its index.
        let closed = in_time(self.pools.close()).await;
        // After every connection: closing a descriptor of the file drops SQLite's own locks.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        readers.and(emptied).and(closed)
    }

    async fn empty_log(&self) -> Result<(), StoreError> {
        self.check_file()?;
        let _turn = self.gate.lock().await;
        let mut connection = self.pools.writer().acquire().await?;
        let row: (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
        if row.0 == 0 {
            Ok(())
        } else {
            Err(StoreError::unavailable("another program uses it: its log (-wal) is not empty, copy both"))
        }
    }
}

async fn in_time(closing: impl Future<Output = ()>) -> Result<(), StoreError> {
    let late = |_| StoreError::unavailable(format!("its connections are not given back within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, closing).await.map_err(late)
}
