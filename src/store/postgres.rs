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
use super::fold::json;
use super::rows::{NewRequest, Write, sql};
use super::statements::{self, Dialect, RowStatement};
use super::writer::{Batch, Outcome, Queued, Sink};
use crate::model::timestamp::Timestamp;

/// A write that takes longer than this is tried again on a new connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The one writing connection.
#[derive(Debug)]
pub(super) struct PgSink {
    options: PgConnectOptions,
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
    let mut bindings = Vec::new();
    for queued in writes {
        match &queued.write {
            Write::Open(row) => opens.push(&**row),
            Write::Create(row) => {
                creates.push(&**row);
                bindings.push(row.binding());
            }
            Write::Bind(row) => bindings.push((**row).clone()),
            Write::Request(request) => {
                let seq = first_seq + i64::try_from(requests.len()).unwrap_or(0);
                requests.push(RequestRow::new(request, boot, seq));
            }
            Write::Event(row) => events.push(&**row),
            Write::Barrier => {}
        }
    }
    [
        (statements::OPEN, json(&opens)),
        (statements::CREATE, json(&creates)),
        (statements::BIND, json(&bindings)),
        (statements::REQUEST, json(&requests)),
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
        let written = tokio::time::timeout(PATIENCE, self.write_whole_or_parts(&batch)).await;
        let outcome = written.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer to a write".into())));
        if outcome.is_err() {
            // A connection that failed once is not trusted again.
            self.connection = None;
        }
        (batch, outcome)
    }
}

impl PgSink {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None }
    }

    async fn write_whole_or_parts(&mut self, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
        match self.write_whole(batch).await {
            Ok(()) => Ok(batch.writes.iter().map(|_| Ok(())).collect()),
            Err(StoreError::Data(_)) => self.write_one_by_one(batch).await,
            Err(error) => Err(error),
        }
    }

    async fn write_whole(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let statements = statements_for(&batch.writes, batch.boot, batch.first_seq);
        let connection = self.connected().await?;
        if let [(statement, rows)] = statements.as_slice() {
            // One statement is its own transaction, and one round trip.
            return execute(connection, statement, rows).await;
        }
        let mut transaction = connection.begin().await?;
        for (statement, rows) in &statements {
            execute(&mut transaction, statement, rows).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The database refuses something in the batch: each row gets a savepoint, and only the bad one is dropped.
    async fn write_one_by_one(&mut self, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
        let mut transaction = self.connected().await?.begin().await?;
        let (mut outcomes, mut seq) = (Vec::with_capacity(batch.writes.len()), batch.first_seq);
        for queued in &batch.writes {
            let statements = statements_for(std::slice::from_ref(queued), batch.boot, seq);
            seq += i64::from(matches!(queued.write, Write::Request(_)));
            let mut savepoint = transaction.begin().await?;
            let mut outcome = Ok(());
            for (statement, rows) in &statements {
                outcome = execute(&mut savepoint, statement, rows).await;
                if outcome.is_err() {
                    break;
                }
            }
            match outcome {
                Ok(()) => savepoint.commit().await?,
                Err(StoreError::Data(_)) => savepoint.rollback().await?,
                Err(unavailable) => return Err(unavailable),
            }
            outcomes.push(outcome);
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

async fn execute(connection: &mut PgConnection, statement: &RowStatement, rows: &str) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(statement.sql(Dialect::Postgres))).bind(rows).execute(connection).await?;
    Ok(())
}
