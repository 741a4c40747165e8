//! How the two databases are read and written: macros that run one body on whichever it is, with a limit of time.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Database, Pool, Transaction};

pub(in crate::store) use super::databases::Backend;
pub(in crate::store) use super::error::StoreError;
pub(in crate::store) use super::order::{HAND_PATIENCE, ROW_PATIENCE, Tries, begin};
pub(in crate::store) use super::pooler::begin as begin_reading;

/// A connection with a transaction on it. Where the transaction is given up midway, by an error or because whoever waited
/// for it has gone, the connection is closed: the database may still be at work on it, or wait in a `BEGIN` that nobody
/// will end.
#[derive(Debug)]
pub(in crate::store) struct Checkout<DB: Database> {
    connection: PoolConnection<DB>,
    is_over: bool,
}

impl<DB: Database> Checkout<DB> {
    pub(in crate::store) async fn of(pool: &Pool<DB>) -> sqlx::Result<Self> {
        // Boxed: it can become a whole connect, whose size every read would carry along.
        Ok(Self { connection: Box::pin(pool.acquire()).await?, is_over: false })
    }

    pub(in crate::store) async fn begin(&mut self, statement: String) -> sqlx::Result<Transaction<'_, DB>> {
        (*self.connection).begin_with(AssertSqlSafe(statement)).await
    }

    /// The transaction is committed or rolled back, and the database has said so.
    pub(in crate::store) fn is_over(&mut self) {
        self.is_over = true;
    }
}

impl<DB: Database> Drop for Checkout<DB> {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// Runs a reading body on whichever database it is, without a limit of time.
macro_rules! ask {
    ($store:expr, $db:ident => $body:expr) => {{
        use $crate::store::backend::transaction as with;
        match $store.backend() {
            with::Backend::Sqlite(sqlite) => {
                let readers = sqlite.pools.readers();
                let $db = &readers;
                $body
            }
            with::Backend::Postgres(postgres) if postgres.pooled => {
                let mut connection = with::Checkout::of(&postgres.pool).await?;
                let mut transaction = connection.begin(with::begin_reading(true).to_owned()).await?;
                let $db = &mut *transaction;
                let outcome = $body;
                // Not left to its drop: until then it would keep a connection of the pooler's.
                if transaction.rollback().await.is_ok() {
                    connection.is_over();
                }
                outcome
            }
            with::Backend::Postgres(postgres) => {
                let $db = &postgres.pool;
                $body
            }
        }
    }};
}

/// Runs a reading body on whichever database it is, and gives up after [`READ_PATIENCE`]:
/// `read!(store, db => sqlx::query(..).fetch_one(db).await)`.
macro_rules! read {
    ($store:expr, $db:ident => $body:expr) => {{
        use $crate::store::backend::transaction as with;
        with::within(with::READ_PATIENCE, async { with::ask!($store, $db => $body) }).await
    }};
}

/// The same for what people wait for, and no client does: it gives up after [`REPORT_PATIENCE`].
macro_rules! report {
    ($store:expr, $db:ident => $body:expr) => {{
        use $crate::store::backend::transaction as with;
        with::within(with::REPORT_PATIENCE, async { with::ask!($store, $db => $body) }).await
    }};
}

/// The same as `read!` for a read that a request waits for: it runs again where the database gave it up in favour of others, of a
/// migration that locks tables, say.
macro_rules! reread {
    ($store:expr, $db:ident => $body:expr) => {{
        use $crate::store::backend::transaction as with;
        with::within(with::READ_PATIENCE, async {
            let mut tries = with::Tries::default();
            loop {
                let outcome: ::sqlx::Result<_> = async { with::ask!($store, $db => $body) }.await;
                match outcome {
                    Err(error) if tries.reads_again(&error) => {}
                    outcome => break outcome,
                }
            }
        })
        .await
    }};
}

/// Runs a writing body in one transaction on whichever database it is; the body yields a `Result` and commits if it is
/// `Ok`: `transact!(store, tx => sqlx::query(..).execute(&mut *tx).await)`. On PostgreSQL it begins as
/// [`order`](super::order) says, and runs again where it lost to others.
macro_rules! transact {
    ($store:expr, $tx:ident => $body:expr) => {{
        use $crate::store::backend::transaction as with;
        with::in_time(with::PATIENCE, async {
            let mut tries = with::Tries::default();
            loop {
                let outcome: Result<_, with::StoreError> = match $store.backend() {
                    with::Backend::Sqlite(sqlite) => {
                        let _turn = sqlite.gate.lock().await;
                        async {
                            let writer = sqlite.pools.writer();
                            let mut connection = with::Checkout::of(&writer).await?;
                            let mut transaction = connection.begin("BEGIN IMMEDIATE".to_owned()).await?;
                            let $tx = &mut *transaction;
                            let out = $body?;
                            transaction.commit().await?;
                            sqlite.check_file()?;
                            connection.is_over();
                            Ok(out)
                        }
                        .await
                    }
                    with::Backend::Postgres(postgres) => {
                        let patience = tries.patience(postgres.hands.patience(with::HAND_PATIENCE));
                        let begin = with::begin(postgres.pooled, patience, with::ROW_PATIENCE);
                        async {
                            let mut connection = with::Checkout::of(&postgres.pool).await?;
                            let begun = connection.begin(begin).await.inspect_err(|error| {
                                postgres.hands.note(error);
                                tries.did_not_begin();
                            });
                            let mut transaction = begun?;
                            let $tx = &mut *transaction;
                            let outcome: Result<_, with::StoreError> = async { Ok($body?) }.await;
                            let ended = match &outcome {
                                Ok(_) => transaction.commit().await,
                                Err(_) => transaction.rollback().await,
                            };
                            match (outcome, ended) {
                                (Ok(_), Err(in_doubt)) => return Err(in_doubt.into()),
                                (outcome, Ok(())) => {
                                    connection.is_over();
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
    }};
}

/// How long a transaction may take, its turn at the gate included.
pub(in crate::store) const PATIENCE: Duration = Duration::from_secs(10);

/// A database that hangs is a database that does not answer.
pub(in crate::store) async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::unavailable(format!("no answer within {patience:?}"))),
    }
}

/// A read that takes longer than this counts as "the store cannot tell".
pub(in crate::store) const READ_PATIENCE: Duration = Duration::from_secs(3);
/// How long a report may take.
pub(in crate::store) const REPORT_PATIENCE: Duration = Duration::from_mins(2);

/// A read with a limit of time.
pub(in crate::store) async fn within<T>(
    patience: Duration,
    read: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, StoreError> {
    in_time(patience, async { Ok(read.await?) }).await
}

pub(in crate::store) use {ask, read, report, reread, transact};
