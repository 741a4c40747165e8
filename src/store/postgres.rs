//! PostgreSQL's side of the group commit: one task with one connection, one statement for each kind of row in a batch.
//!
//! One writing connection was measured to beat two and four. A batch whose COMMIT answer was lost is sent again: rows
//! carry their boot and number, and a row that is there already is left alone.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};

use super::StoreError;
use super::backend::in_time;
use super::pooler;
use super::rows::{CaptureRow, NewRequest, Numbered, Write};
use super::statements::{self, Dialect, RowStatement, json};
use super::writer::{Batch, Outcome, Queued, Sink};
use crate::model::request::Tokens;
use crate::model::session::SessionRule;

/// A write that takes longer than this is tried again on a new connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a batch that is written part by part.
const PATIENCE_WITH_POISON: Duration = Duration::from_mins(1);

/// The one writing connection.
#[derive(Debug)]
pub(super) struct PgSink {
    options: PgConnectOptions,
    /// A pooler keeps nothing for us outside of a transaction.
    pooled: bool,
    connection: Option<PgConnection>,
}

/// Requests come as one array a column: PostgreSQL reads a row of those in half of the time that one of JSON takes it.
const INSERT_REQUESTS: &str = "INSERT INTO archon_mcp_requests (session_id, method, tool_name, prompt_tokens, \
     completion_tokens, estimated_cost, timestamp, duration_ms, status, error_message, protocol_session_id, duration_us, \
     session_rule, late, boot, seq) \
     SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::float8[], \
     $7::timestamptz[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::boolean[], \
     $15::bigint[], $16::bigint[]) ON CONFLICT DO NOTHING";

/// One statement of a batch, with its rows.
enum Statement<'a> {
    Requests(Vec<Numbered<'a, NewRequest>>),
    Others(RowStatement, String),
}

impl Statement<'_> {
    async fn execute(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match self {
            Self::Requests(rows) => insert_requests(connection, rows).await,
            Self::Others(statement, rows) => {
                sqlx::query(AssertSqlSafe(statement.sql(Dialect::Postgres))).bind(rows).execute(connection).await?;
                Ok(())
            }
        }
    }
}

async fn insert_requests(connection: &mut PgConnection, rows: &[Numbered<'_, NewRequest>]) -> Result<(), StoreError> {
    let tokens = |of: fn(Tokens) -> u32| column(rows, |row| row.tokens.map(|tokens| i64::from(of(tokens))));
    sqlx::query(INSERT_REQUESTS)
        .bind(column(rows, |row| row.session_id))
        .bind(column(rows, |row| &*row.method))
        .bind(column(rows, |row| row.tool_name.as_deref()))
        .bind(tokens(|tokens| tokens.prompt))
        .bind(tokens(|tokens| tokens.completion))
        .bind(column(rows, |row| row.estimated_cost))
        .bind(column(rows, |row| row.timestamp.to_chrono()))
        .bind(column(rows, |row| row.duration_us / 1000))
        .bind(column(rows, |row| row.status.as_str()))
        .bind(column(rows, |row| row.error_message.as_deref()))
        .bind(column(rows, |row| row.protocol_session_id.as_deref()))
        .bind(column(rows, |row| row.duration_us))
        .bind(column(rows, |row| row.rule.map(SessionRule::as_str)))
        .bind(column(rows, |row| row.late))
        .bind(rows.iter().map(|numbered| numbered.boot).collect::<Vec<_>>())
        .bind(rows.iter().map(|numbered| numbered.seq).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

fn column<'a, V>(rows: &[Numbered<'a, NewRequest>], of: impl Fn(&'a NewRequest) -> V) -> Vec<V> {
    rows.iter().map(|numbered| of(numbered.row)).collect()
}

/// The statements for some writes, in the order in which they depend on each other.
fn statements_for(writes: &[Queued], boot: i64, first_seq: i64) -> Vec<Statement<'_>> {
    let (mut opens, mut creates, mut requests, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut bindings, mut captures) = (Vec::new(), Vec::new());
    for (queued, seq) in writes.iter().zip(first_seq..) {
        match &queued.write {
            Write::Open(row) => opens.push(&**row),
            Write::Create(row) => {
                creates.push(&**row);
                bindings.push(row.binding());
            }
            Write::Bind(row) => bindings.push((**row).clone()),
            Write::Request(request) => {
                requests.push(Numbered { row: &**request, boot, seq });
                let words = request.captured.as_deref();
                captures.extend(words.map(|words| CaptureRow::new(request.timestamp, words, boot, seq)));
            }
            Write::Event(row) => events.push(Numbered { row: &**row, boot, seq }),
            Write::Barrier => {}
        }
    }
    let others = |statement, rows: Option<String>| rows.map(|rows| Statement::Others(statement, rows));
    let requests = (!requests.is_empty()).then_some(Statement::Requests(requests));
    [
        others(statements::OPEN, json(&opens)),
        others(statements::CREATE, json(&creates)),
        others(statements::BIND, json(&bindings)),
        requests,
        others(statements::CAPTURE, json(&captures)),
        others(statements::ADOPT, json(&bindings)),
        others(statements::EVENT, json(&events)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Sink for PgSink {
    const MAX_BATCH: usize = 1024;

    async fn write(&mut self, batch: Batch) -> Option<(Batch, Result<Vec<Outcome>, StoreError>)> {
        let outcome = match in_time(PATIENCE, self.write_whole(&batch)).await {
            Ok(()) => Ok(batch.writes.iter().map(|_| Ok(())).collect()),
            Err(StoreError::Data(_)) => in_time(PATIENCE_WITH_POISON, self.write_around_poison(&batch)).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // A connection that failed once is not trusted again.
            self.connection = None;
        }
        Some((batch, outcome))
    }
}

impl PgSink {
    pub(super) fn new(options: PgConnectOptions, pooled: bool) -> Self {
        Self { options, pooled, connection: None }
    }

    async fn write_whole(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let statements = statements_for(&batch.writes, batch.boot, batch.first_seq);
        match statements.as_slice() {
            // Nothing but barriers.
            [] => Ok(()),
            // One statement is its own transaction, and one round trip.
            [statement] if !self.pooled => statement.execute(self.connected().await?).await,
            statements => {
                let begin = pooler::begin(self.pooled);
                let mut transaction = self.connected().await?.begin_with(begin).await?;
                execute_all(&mut transaction, statements).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    /// The database refuses something in the batch: halves of it get a savepoint each, and halves of the bad half, until
    /// only the bad rows are left out.
    async fn write_around_poison(&mut self, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
        let begin = pooler::begin(self.pooled);
        let mut transaction = self.connected().await?.begin_with(begin).await?;
        let mut outcomes: Vec<Outcome> = batch.writes.iter().map(|_| Ok(())).collect();
        // The part on top comes first in the batch: rows lean on earlier ones.
        let mut parts = vec![(batch.writes.as_slice(), 0)];
        while let Some((part, start)) = parts.pop() {
            let first_seq = batch.first_seq + i64::try_from(start).unwrap_or(i64::MAX);
            let mut savepoint = transaction.begin().await?;
            match execute_all(&mut savepoint, &statements_for(part, batch.boot, first_seq)).await {
                Ok(()) => savepoint.commit().await?,
                Err(StoreError::Data(reason)) => {
                    savepoint.rollback().await?;
                    if part.len() == 1 {
                        outcomes[start] = Err(StoreError::Data(reason));
                    } else {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([(second, start + first.len()), (first, start)]);
                    }
                }
                Err(unavailable) => return Err(unavailable),
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn connected(&mut self) -> Result<&mut PgConnection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        Ok(self.connection.insert(connection))
    }
}

async fn execute_all(connection: &mut PgConnection, statements: &[Statement<'_>]) -> Result<(), StoreError> {
    for statement in statements {
        statement.execute(connection).await?;
    }
    Ok(())
}
