//! The two databases, and the two macros that run one body on whichever it is.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Database, PgPool, Pool, Transaction};
use tokio::sync::Mutex;

use super::StoreError;
use super::file::OpenFile;
use super::lock::FileLock;
use super::order::Hands;
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
    pub(super) hands: Hands,
}

/// A connection with a transaction on it. Where the transaction is given up midway, by an error or because whoever waited
/// for it has gone, the connection is closed: the database may still be at work on it, or wait in a `BEGIN` that nobody
/// will end.
#[derive(Debug)]
pub(super) struct Held<DB: Database> {
    connection: PoolConnection<DB>,
    is_over: bool,
}

impl<DB: Database> Held<DB> {
    pub(super) async fn of(pool: &Pool<DB>) -> sqlx::Result<Self> {
        // Boxed: it can become a whole connect, whose size every read would carry along.
        Ok(Self { connection: Box::pin(pool.acquire()).await?, is_over: false })
    }

    pub(super) async fn begin(&mut self, statement: String) -> sqlx::Result<Transaction<'_, DB>> {
        (*self.connection).begin_with(AssertSqlSafe(statement)).await
    }

    /// The transaction is committed or rolled back, and the database has said so.
    pub(super) fn is_over(&mut self) {
        self.is_over = true;
    }
}

impl<DB: Database> Drop for Held<DB> {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
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
                let mut held = $crate::store::backend::Held::of(&postgres.pool).await?;
                let mut transaction = held.begin($crate::store::pooler::begin(true).to_owned()).await?;
                let $db = &mut *transaction;
                let outcome = $body;
                // Not left to its drop: until then it would keep a connection of the pooler's.
                if transaction.rollback().await.is_ok() {
                    held.is_over();
                }
                outcome
            }
            $crate::store::backend::Backend::Postgres(postgres) => {
                let $db = &postgres.pool;
                $body
            }
        }
    };
}

/// The same for a read that a request waits for: it runs again where the database gave it up in favour of others, of a
/// migration that locks tables, say.
macro_rules! reread {
    ($store:expr, $db:ident => $body:expr) => {{
        let mut tries = $crate::store::order::Tries::default();
        loop {
            let outcome: ::sqlx::Result<_> = async { $crate::store::backend::read!($store, $db => $body) }.await;
            match outcome {
                Err(error) if tries.reads_again(&error) => {}
                outcome => break outcome,
            }
        }
    }};
}

/// Runs a writing body in one transaction on whichever database it is; the body yields a `Result` and commits if it is
/// `Ok`: `transact!(store, tx => sqlx::query(..).execute(&mut *tx).await)`. On PostgreSQL it begins as
/// [`order`](super::order) says, and runs again where it lost to others.
macro_rules! transact {
    ($store:expr, $tx:ident => $body:expr) => {
        $crate::store::backend::in_time($crate::store::backend::PATIENCE, async {
            let mut tries = $crate::store::order::Tries::default();
            loop {
                let outcome: Result<_, $crate::store::StoreError> = match &$store.inner.backend {
                    $crate::store::backend::Backend::Sqlite(sqlite) => {
                        let _turn = sqlite.gate.lock().await;
                        async {
                            let writer = sqlite.pools.writer();
                            let mut held = $crate::store::backend::Held::of(&writer).await?;
                            let mut transaction = held.begin("BEGIN IMMEDIATE".to_owned()).await?;
                            let $tx = &mut *transaction;
                            let out = $body?;
                            transaction.commit().await?;
                            sqlite.check_file()?;
                            held.is_over();
                            Ok(out)
                        }
                        .await
                    }
                    $crate::store::backend::Backend::Postgres(postgres) => {
                        let patience = tries.patience(postgres.hands.patience($crate::store::order::HAND_PATIENCE));
                        let begin =
                            $crate::store::order::begin(postgres.pooled, patience, $crate::store::order::ROW_PATIENCE);
                        async {
                            let mut held = $crate::store::backend::Held::of(&postgres.pool).await?;
                            let begun = held.begin(begin).await.inspect_err(|error| {
                                postgres.hands.note(error);
                                tries.did_not_begin();
                            });
                            let mut transaction = begun?;
                            let $tx = &mut *transaction;
                            let outcome: Result<_, $crate::store::StoreError> = async { Ok($body?) }.await;
                            let ended = match &outcome {
                                Ok(_) => transaction.commit().await,
                                Err(_) => transaction.rollback().await,
                            };
                            match (outcome, ended) {
                                (Ok(_), Err(in_doubt)) => return Err(in_doubt.into()),
                                (outcome, Ok(())) => {
                                    held.is_over();
                                    outcome
                                }
                                (outcome, Err(_)) => outcome,
                            }
                        }
                        .await
                    }
                };
                match outcome {
                    Ok(out) => break Ok(out),
                    Err(error) => tries.again(error)?,
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

pub(super) use {read, reread, transact};
