//! The two databases, and the two macros that run one body on whichever it is.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::Mutex;

use super::StoreError;
use super::file::OpenFile;
use super::lock::FileLock;
use super::pooler;
use super::pools::Pools;

/// The pools of one open database.
#[derive(Debug)]
pub(super) enum Backend {
    Sqlite(SqliteBackend),
    Postgres(PgBackend),
}

/// PostgreSQL.
#[derive(Debug)]
pub(super) struct PgBackend {
    pub(super) pool: PgPool,
    /// A transaction pooler stands in between: nothing is prepared, and every statement is in a transaction.
    pub(super) pooled: bool,
}

impl PgBackend {
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        // Boxed: it can become a whole connect, whose size every read would carry along.
        Box::pin(self.pool.begin_with(pooler::begin(self.pooled))).await
    }
}

/// SQLite: many readers, one writing connection, and the gate at which it takes turns with the group-commit writer.
#[derive(Debug)]
pub(super) struct SqliteBackend {
    pub(super) pools: Arc<Pools>,
    pub(super) gate: Gate,
    /// `None` for a database in memory.
    pub(super) file: Option<Arc<OpenFile>>,
    /// Held for as long as the store is open: no second server on this file.
    pub(super) lock: std::sync::Mutex<Option<Arc<FileLock>>>,
}

impl SqliteBackend {
    /// Whether what was committed just now is in the file that others will find.
    pub(super) fn check_file(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }
}

/// Whoever holds it may write to the SQLite file. Fair, unlike SQLite's own busy handler, which sleeps and hopes.
pub(super) type Gate = Arc<Mutex<()>>;

/// Runs a reading body on whichever database it is: `read!(store, db => sqlx::query(..).fetch_one(db).await)`.
macro_rules! read {
    ($store:expr, $db:ident => $body:expr) => {
        match &$store.inner.backend {
            $crate::store::backend::Backend::Sqlite(sqlite) => {
                let readers = sqlite.pools.readers();
                let $db = &readers;
                $body
            }
            $crate::store::backend::Backend::Postgres(postgres) if postgres.pooled => {
                let mut transaction = postgres.begin().await?;
                let $db = &mut *transaction;
                let outcome = $body;
                // Not left to its drop: until then it would keep a connection of the pooler's.
                _ = transaction.rollback().await;
                outcome
            }
            $crate::store::backend::Backend::Postgres(postgres) => {
                let $db = &postgres.pool;
                $body
            }
        }
    };
}

/// Runs a writing body in one transaction on whichever database it is; the body yields a `Result` and commits if it is
/// `Ok`: `transact!(store, tx => sqlx::query(..).execute(&mut *tx).await)`.
macro_rules! transact {
    ($store:expr, $tx:ident => $body:expr) => {
        $crate::store::backend::in_time($crate::store::backend::PATIENCE, async {
            match &$store.inner.backend {
                $crate::store::backend::Backend::Sqlite(sqlite) => {
                    let _turn = sqlite.gate.lock().await;
                    let mut connection = sqlite.pools.writer().acquire().await?;
                    let outcome = async {
                        let mut transaction = ::sqlx::Connection::begin_with(&mut *connection, "BEGIN IMMEDIATE").await?;
                        let $tx = &mut *transaction;
                        let out = $body?;
                        transaction.commit().await?;
                        sqlite.check_file()?;
                        Ok(out)
                    }
                    .await;
                    // After a COMMIT that failed SQLite is out of the transaction, and sqlx does not know: no more of it.
                    if outcome.is_err() {
                        connection.close_on_drop();
                    }
                    outcome
                }
                $crate::store::backend::Backend::Postgres(postgres) => {
                    let mut transaction = postgres.begin().await?;
                    let $tx = &mut *transaction;
                    let out = $body?;
                    transaction.commit().await?;
                    Ok(out)
                }
            }
        })
        .await
    };
}

/// How long a transaction may take, its turn at the gate included.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A database that hangs is a database that does not answer.
pub(super) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {patience:?}"))),
    }
}

pub(super) use {read, transact};
