//! PostgreSQL's side of the group commit: one task with one connection, one statement for each kind of row in a batch.
//!
//! One writing connection was measured to beat two and four. A batch whose COMMIT answer was lost is sent again: rows
//! carry their boot and number, and a row that is there already is left alone.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::StoreError;
use super::fold::json;
use super::rows::{NewRequest, Write, sql};
use super::statements::{self, Dialect, RowStatement};
use super::writer::{Outcome, Queued, Shared, retry_delay};
use crate::model::timestamp::Timestamp;

/// The largest batch of one commit.
const MAX_BATCH: usize = 1024;
/// A write that takes longer than this is tried again on a new connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the writer task. It ends when the queue's last sender is gone.
pub(super) fn spawn_writer(options: PgConnectOptions, queue: mpsc::Receiver<Queued>, shared: Arc<Shared>) {
    tokio::spawn(PgWriter { options, connection: None, shared }.run(queue));
}

struct PgWriter {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    shared: Arc<Shared>,
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

impl PgWriter {
    async fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let requests = batch.iter().filter(|q| matches!(q.write, Write::Request(_))).count();
            let first_seq = self.shared.next_seqs(requests);
            let began = self.shared.begin_batch();
            let outcomes = self.write_until_it_holds(&batch, first_seq).await;
            self.shared.finish(&mut batch, first_seq, outcomes, began);
        }
    }

    /// A batch that the database cannot take now is kept and tried again: its rows belong to answers already given.
    async fn write_until_it_holds(&mut self, batch: &[Queued], first_seq: i64) -> Vec<Outcome> {
        for failures in 0.. {
            let written = tokio::time::timeout(PATIENCE, self.write(batch, first_seq)).await;
            let tried = match written.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer to a write".into()))) {
                Ok(()) => Ok(batch.iter().map(|_| Ok(())).collect()),
                Err(StoreError::Data(_)) => self.write_one_by_one(batch, first_seq).await,
                Err(error) => Err(error),
            };
            match tried {
                Ok(outcomes) => return outcomes,
                Err(error) => {
                    self.shared.batch_failed(&error);
                    // A connection that failed once is not trusted again.
                    self.connection = None;
                    tokio::time::sleep(retry_delay(failures)).await;
                }
            }
        }
        Vec::new()
    }

    async fn write(&mut self, batch: &[Queued], first_seq: i64) -> Result<(), StoreError> {
        let statements = statements_for(batch, self.shared.boot(), first_seq);
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
    async fn write_one_by_one(&mut self, batch: &[Queued], first_seq: i64) -> Result<Vec<Outcome>, StoreError> {
        let boot = self.shared.boot();
        let mut transaction = self.connected().await?.begin().await?;
        let (mut outcomes, mut seq) = (Vec::with_capacity(batch.len()), first_seq);
        for queued in batch {
            let statements = statements_for(std::slice::from_ref(queued), boot, seq);
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
