//! The one connection that writes to PostgreSQL, and a batch on its way.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Postgres, Transaction};

use super::statement::{entries, execute_all, statements_for};
use crate::store::backend::order::{self, Hands, Tries};
use crate::store::backend::{StoreError, in_time};
use crate::store::commit::batch::{Batch, Outcome, Sink};

/// A write that takes longer than this is tried again on a new connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a batch that is written part by part.
const PATIENCE_PART_BY_PART: Duration = Duration::from_mins(1);

/// The one writing connection.
#[derive(Debug)]
pub(in crate::store) struct PgSink {
    pub(super) line: Line,
    /// The batch in hand may have been committed: nothing tells what became of a try.
    pub(super) in_doubt: bool,
}

/// A connection that is opened anew when it failed.
#[derive(Debug)]
pub(super) struct Line {
    options: PgConnectOptions,
    /// A pooler keeps nothing for us outside of a transaction.
    pooled: bool,
    connection: Option<PgConnection>,
    hands: Hands,
}

/// How long a batch waits for a statement that was typed by hand: answers wait for it.
const HAND_PATIENCE: Duration = Duration::from_millis(500);

impl Sink for PgSink {
    const MAX_BATCH: usize = 1024;

    async fn write(&mut self, batch: Batch) -> Option<(Batch, Result<Vec<Outcome>, StoreError>)> {
        let mut tries = Tries::default();
        loop {
            let outcome = match in_time(PATIENCE, self.write_whole(&batch, &mut tries)).await {
                Ok(()) => Ok(batch.writes.iter().map(|_| Ok(())).collect()),
                // A transaction that did not begin waited for no row.
                Err(StoreError::Held(reason)) if tries.is_unbegun() => Err(StoreError::Held(reason)),
                Err(StoreError::Data(_) | StoreError::Held(_)) => {
                    in_time(PATIENCE_PART_BY_PART, self.write_part_by_part(&batch, &mut tries)).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                self.in_doubt = false;
                return Some((batch, outcome));
            };
            // A connection that failed once is not trusted again.
            self.line.connection = None;
            if let Err(error) = tries.again(error) {
                return Some((batch, Err(error)));
            }
        }
    }
}

impl PgSink {
    pub(in crate::store) fn new(options: PgConnectOptions, pooled: bool) -> Self {
        let options =
            if pooled { options } else { options.options([("lock_timeout", order::ROW_PATIENCE.as_millis())]) };
        let line = Line { options, pooled, connection: None, hands: Hands::default() };
        Self { line, in_doubt: false }
    }

    async fn write_whole(&mut self, batch: &Batch, tries: &mut Tries) -> Result<(), StoreError> {
        if batch.is_held {
            return Err(StoreError::Held("rows that were held a moment ago".into()));
        }
        let (entries, was_in_doubt) = (entries(batch), self.in_doubt);
        let statements = statements_for(&entries, batch.boot);
        match statements.as_slice() {
            // Nothing but barriers.
            [] => Ok(()),
            // One statement is its own transaction, and one round trip.
            [statement] if !self.line.pooled && statement.is_insert() => {
                let connection = self.line.connected().await?;
                self.in_doubt = true;
                let done = statement.execute(connection).await;
                self.in_doubt = was_in_doubt || matches!(done, Err(StoreError::Unavailable(_)));
                done
            }
            statements => {
                let mut transaction = self.line.begin(tries).await?;
                execute_all(&mut transaction, statements).await?;
                self.in_doubt = true;
                Ok(transaction.commit().await?)
            }
        }
    }
}

impl Line {
    pub(super) async fn begin(&mut self, tries: &mut Tries) -> Result<Transaction<'_, Postgres>, StoreError> {
        let patience = tries.patience(self.hands.patience(HAND_PATIENCE));
        let statement = order::begin(self.pooled, patience, order::ROW_PATIENCE);
        self.connected().await?;
        let Self { connection, hands, .. } = self;
        let Some(connection) = connection else { return Err(StoreError::unavailable("no connection")) };
        let begun = connection.begin_with(AssertSqlSafe(statement)).await;
        Ok(begun.inspect_err(|error| {
            hands.note(error);
            tries.did_not_begin();
        })?)
    }

    async fn connected(&mut self) -> Result<&mut PgConnection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        Ok(self.connection.insert(connection))
    }
}
