//! SQLite's side of the group commit: one thread with prepared statements.

use std::sync::Arc;

use rusqlite::{Connection, Statement, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::batch::{Batch, Outcome, Sink};
use super::statements;
use crate::store::backend::{Dialect, Gate, OpenFile, RowStatement, Shelf, SqliteTarget, StoreError, Workers, json};
use crate::store::rows::{CaptureRow, NewRequest, Numbered, Write};

const INSERT_REQUEST: &str = "INSERT INTO archon_mcp_requests (session_id, method, tool_name, prompt_tokens, \
     completion_tokens, estimated_cost, timestamp, duration_ms, status, error_message, protocol_session_id, duration_us, \
     session_rule, late, boot, seq) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT DO NOTHING";

/// The writer thread, from the side of the runtime: a batch goes there, and comes back with its outcome.
#[derive(Debug)]
pub(in crate::store) struct SqliteSink {
    batches: std::sync::mpsc::Sender<(Batch, Written)>,
    gate: Gate,
}

type Written = oneshot::Sender<(Batch, Result<Vec<Outcome>, StoreError>)>;

impl SqliteSink {
    /// Starts the thread. It ends when the sink is dropped.
    pub(in crate::store) fn spawn(
        target: &SqliteTarget,
        file: Option<Arc<OpenFile>>,
        gate: Gate,
        workers: &Workers,
    ) -> rusqlite::Result<(Self, Shelf)> {
        let shelf = Shelf::default();
        shelf.put(target.connect()?);
        let taken = shelf.clone();
        let (batches, queue) = std::sync::mpsc::channel::<(Batch, Written)>();
        workers
            .thread("writer thread", move |breaker| {
                while let Ok((batch, written)) = queue.recv() {
                    breaker.check();
                    // Checked after the commit: a batch that went into a removed file is tried again, and stored once.
                    let outcome = match taken.lock().as_mut() {
                        Some(connection) => write(connection, &batch),
                        None => Err(StoreError::unavailable("its files are being mended")),
                    };
                    let outcome = outcome
                        .and_then(|outcomes| file.as_ref().map_or(Ok(()), |file| file.check()).map(|()| outcomes));
                    // Nobody waits only when the runtime is gone, and the process with it.
                    _ = written.send((batch, outcome));
                }
                taken.take();
            })
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        Ok((Self { batches, gate }, shelf))
    }
}

impl Sink for SqliteSink {
    const MAX_BATCH: usize = 512;

    async fn write(&mut self, batch: Batch) -> Option<(Batch, Result<Vec<Outcome>, StoreError>)> {
        let _turn = self.gate.lock().await;
        let (written, outcome) = oneshot::channel();
        // Without its thread nothing can be written: who waits for this batch learns that by its end.
        self.batches.send((batch, written)).ok()?;
        outcome.await.ok()
    }
}

/// One transaction. A row that the database refuses fails alone: SQLite undoes just its statement.
fn write(connection: &mut Connection, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Nearly all writes are this one: it is looked up once a batch.
    let mut insert = transaction.prepare_cached(INSERT_REQUEST)?;
    let (boot, mut outcomes) = (batch.boot, Vec::with_capacity(batch.writes.len()));
    for (queued, seq) in batch.writes.iter().zip(batch.first_seq..) {
        let outcome = match &queued.write {
            Write::Request(request) => insert_request(&mut insert, request, boot, seq)
                .and_then(|()| insert_capture(&transaction, request, boot, seq)),
            Write::Open(row) => run(&transaction, &statements::OPEN, row),
            Write::Withdraw(row) => run(&transaction, &statements::WITHDRAW, row),
            Write::Create(row) => run(&transaction, &statements::CREATE, row)
                .and_then(|()| run(&transaction, &statements::BIND, row))
                .and_then(|()| run(&transaction, &statements::END_ORPHANS, row))
                .and_then(|()| run(&transaction, &statements::ADOPT, row)),
            Write::Bind(row) => {
                run(&transaction, &statements::BIND, row).and_then(|()| run(&transaction, &statements::ADOPT, row))
            }
            Write::Event(row) => run(&transaction, &statements::EVENT, &Numbered { row: &**row, boot, seq }),
            Write::Barrier => Ok(()),
        };
        match outcome {
            Ok(()) | Err(StoreError::Data(_)) => outcomes.push(outcome),
            Err(unavailable) => return Err(unavailable),
        }
    }
    drop(insert);
    transaction.commit()?;
    Ok(outcomes)
}

fn run<T: serde::Serialize>(connection: &Connection, statement: &'static RowStatement, row: &T) -> Outcome {
    let Some(rows) = json(std::slice::from_ref(row)) else { return Ok(()) };
    connection.prepare_cached(statement.sql(Dialect::Sqlite))?.execute([rows])?;
    Ok(())
}

fn insert_request(statement: &mut Statement<'_>, request: &NewRequest, boot: i64, seq: i64) -> Outcome {
    let mut id = [0u8; uuid::fmt::Hyphenated::LENGTH];
    let session_id = request.session_id.map(|uuid| &*uuid.hyphenated().encode_lower(&mut id));
    statement.execute(params![
        session_id,
        &*request.method,
        request.tool_name.as_deref(),
        request.tokens.map(|t| t.prompt),
        request.tokens.map(|t| t.completion),
        request.estimated_cost,
        request.timestamp.sql_text(),
        request.duration_us / 1000,
        request.status.as_str(),
        request.error_message.as_deref(),
        request.protocol_session_id.as_deref(),
        request.duration_us,
        request.rule.map(crate::model::session::SessionRule::as_str),
        request.late,
        boot,
        seq,
    ])?;
    Ok(())
}

fn insert_capture(connection: &Connection, request: &NewRequest, boot: i64, seq: i64) -> Outcome {
    match &request.captured {
        Some(words) => run(connection, &statements::CAPTURE, &CaptureRow::new(request.timestamp, words, boot, seq)),
        None => Ok(()),
    }
}
