//! PostgreSQL's side of the group commit: one task with one connection, one statement for each kind of row in a batch.
//!
//! One writing connection was measured to beat two and four. A batch whose COMMIT answer was lost is sent again: rows
//! carry their boot and number, and a row that is there already is left alone.

use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::StoreError;
use super::backend::in_time;
use super::pooler;
use super::rows::{CaptureRow, NewRequest, Numbered, Write, sql};
use super::statements::{self, Dialect, RowStatement, json};
use super::writer::{Batch, Outcome, Queued, Sink};
use crate::model::timestamp::Timestamp;

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

/// A request as a JSON object with the table's column names.
#[derive(Serialize)]
struct RequestRow<'a> {
    session_id: Option<Uuid>,
    method: &'a str,
    tool_name: Option<&'a str>,
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    estimated_cost: Option<f64>,
    #[serde(serialize_with = "sql")]
    timestamp: Timestamp,
    duration_ms: i64,
    status: &'static str,
    error_message: Option<&'a str>,
    protocol_session_id: Option<&'a str>,
    duration_us: i64,
    session_rule: Option<&'static str>,
    late: bool,
    boot: i64,
    seq: i64,
}

impl<'a> RequestRow<'a> {
    fn new(request: &'a NewRequest, boot: i64, seq: i64) -> Self {
        Self {
            session_id: request.session_id,
            method: &request.method,
            tool_name: request.tool_name.as_deref(),
            prompt_tokens: request.tokens.map(|t| t.prompt),
            completion_tokens: request.tokens.map(|t| t.completion),
            estimated_cost: request.estimated_cost,
            timestamp: request.timestamp,
            duration_ms: request.duration_us / 1000,
            status: request.status.as_str(),
            error_message: request.error_message.as_deref(),
            protocol_session_id: request.protocol_session_id.as_deref(),
            duration_us: request.duration_us,
            session_rule: request.rule.map(crate::model::session::SessionRule::as_str),
            late: request.late,
            boot,
            seq,
        }
    }
}

/// The statements for some writes, in the order in which they depend on each other.
fn statements_for(writes: &[Queued], boot: i64, first_seq: i64) -> Vec<(RowStatement, String)> {
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
                requests.push(RequestRow::new(request, boot, seq));
                let words = request.captured.as_deref();
                captures.extend(words.map(|words| CaptureRow::new(request.timestamp, words, boot, seq)));
            }
            Write::Event(row) => events.push(Numbered { row: &**row, boot, seq }),
            Write::Barrier => {}
        }
    }
    [
        (statements::OPEN, json(&opens)),
        (statements::CREATE, json(&creates)),
        (statements::BIND, json(&bindings)),
        (statements::REQUEST, json(&requests)),
        (statements::CAPTURE, json(&captures)),
        (statements::ADOPT, json(&bindings)),
        (statements::EVENT, json(&events)),
    ]
    .into_iter()
    .filter_map(|(statement, rows)| rows.map(|rows| (statement, rows)))
    .collect()
}

impl Sink for PgSink {
    const MAX_BATCH: usize = 1024;

    async fn write(&mut self, batch: Batch) -> (Batch, Result<Vec<Outcome>, StoreError>) {
        let outcome = match in_time(PATIENCE, self.write_whole(&batch)).await {
            Ok(()) => Ok(batch.writes.iter().map(|_| Ok(())).collect()),
            Err(StoreError::Data(_)) => in_time(PATIENCE_WITH_POISON, self.write_around_poison(&batch)).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // A connection that failed once is not trusted again.
            self.connection = None;
        }
        (batch, outcome)
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
            [(statement, rows)] if !self.pooled => execute(self.connected().await?, statement, rows).await,
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

async fn execute_all(connection: &mut PgConnection, statements: &[(RowStatement, String)]) -> Result<(), StoreError> {
    for (statement, rows) in statements {
        execute(connection, statement, rows).await?;
    }
    Ok(())
}

async fn execute(connection: &mut PgConnection, statement: &RowStatement, rows: &str) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(statement.sql(Dialect::Postgres))).bind(rows).execute(connection).await?;
    Ok(())
}
