//! PostgreSQL's side of the group commit: one task with one connection, one statement for each kind of row in a batch.
//!
//! One writing connection was measured to beat two and four. A batch whose COMMIT answer was lost is sent again: rows
//! carry their boot and number, and a row that is there already is left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Postgres, Transaction};

use super::StoreError;
use super::backend::in_time;
use super::order::{self, Hands, Tries};
use super::rows::{Binding, CaptureRow, NewRequest, Numbered, Withdrawal, Write};
use super::statements::{self, Dialect, RowStatement, json};
use super::writer::{Batch, Outcome, Sink};
use crate::model::request::Tokens;
use crate::model::session::SessionRule;

/// A write that takes longer than this is tried again on a new connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a batch that is written part by part.
const PATIENCE_PART_BY_PART: Duration = Duration::from_mins(1);

mod parts;

/// The one writing connection.
#[derive(Debug)]
pub(super) struct PgSink {
    line: Line,
    /// The batch in hand may have been committed: nothing tells what became of a try.
    in_doubt: bool,
}

#[derive(Debug)]
struct Line {
    options: PgConnectOptions,
    /// A pooler keeps nothing for us outside of a transaction.
    pooled: bool,
    connection: Option<PgConnection>,
    hands: Hands,
}

/// A write of a batch, with its place there and its number.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    at: usize,
    write: &'a Write,
    seq: i64,
}

fn entries(batch: &Batch) -> Vec<Entry<'_>> {
    let numbered = batch.writes.iter().enumerate().zip(batch.first_seq..);
    numbered.map(|((at, queued), seq)| Entry { at, write: &queued.write, seq }).collect()
}

/// Requests come as one array a column: PostgreSQL reads a row of those in half of the time that one of JSON takes it. Each
/// locks the session that it refers to against removal, in the order in which they came: who holds one of those for longer
/// is not waited for. To insert them by the ids of their sessions and number them as they came costs a fifth of the
/// statement.
const INSERT_REQUESTS: &str = "INSERT INTO archon_mcp_requests (session_id, method, tool_name, prompt_tokens, \
     completion_tokens, estimated_cost, timestamp, duration_ms, status, error_message, protocol_session_id, duration_us, \
     session_rule, late, boot, seq) \
     SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::float8[], \
     $7::timestamptz[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::boolean[], \
     $15::bigint[], $16::bigint[]) ON CONFLICT DO NOTHING";

/// How long a batch waits for a statement that was typed by hand: answers wait for it.
const HAND_PATIENCE: Duration = Duration::from_millis(500);

/// One statement of a batch, with its rows.
enum Statement<'a> {
    Requests(Vec<Numbered<'a, NewRequest>>),
    Others(RowStatement, String),
    /// A lock of sessions in their order: [`order::LOCK_ARCHON`] or [`order::LOCK_CONNECTIONS`] with its two arrays of ids,
    /// of Archon sessions and of connections.
    Lock(&'static str, String, String),
}

impl Statement<'_> {
    /// Whether it only adds rows. What changes rows has its place in the order of locks.
    fn is_insert(&self) -> bool {
        match self {
            Self::Requests(_) => true,
            Self::Others(statement, _) => statement.text == statements::INSERT_ONCE,
            Self::Lock(..) => false,
        }
    }

    async fn execute(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match self {
            Self::Requests(rows) => return insert_requests(connection, rows).await,
            Self::Others(statement, rows) => {
                sqlx::query(AssertSqlSafe(statement.sql(Dialect::Postgres))).bind(rows).execute(connection).await?
            }
            Self::Lock(lock, archon, connections) => {
                sqlx::query(*lock).bind(archon).bind(connections).execute(connection).await?
            }
        };
        Ok(())
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

/// The statements for some writes, in the order in which they depend on each other, and in which locks are taken.
fn statements_for<'a>(writes: &[Entry<'a>], boot: i64) -> Vec<Statement<'a>> {
    let (mut opens, mut creates, mut requests, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut bindings, mut captures, mut withdrawals) = (Bindings::default(), Vec::new(), Vec::new());
    for &Entry { write, seq, .. } in writes {
        match write {
            Write::Open(row) => opens.push(&**row),
            Write::Withdraw(row) => withdrawals.push(&**row),
            Write::Create(row) => {
                creates.push(&**row);
                bindings.add(row.binding());
            }
            Write::Bind(row) => bindings.add((**row).clone()),
            Write::Request(request) => {
                requests.push(Numbered { row: &**request, boot, seq });
                let words = request.captured.as_deref();
                captures.extend(words.map(|words| CaptureRow::new(request.timestamp, words, boot, seq)));
            }
            Write::Event(row) => events.push(Numbered { row: &**row, boot, seq }),
            Write::Barrier => {}
        }
    }
    opens.sort_unstable_by(|a, b| a.protocol_session_id.cmp(&b.protocol_session_id));
    creates.sort_unstable_by_key(|row| row.session_id);
    let openers: Vec<_> = creates.iter().map(|row| row.binding()).collect();
    let others = |statement, rows: Option<String>| rows.map(|rows| Statement::Others(statement, rows));
    let requests = (!requests.is_empty()).then_some(Statement::Requests(requests));
    [
        others(statements::OPEN, json(&opens)),
        lock_ending(&withdrawals),
        others(statements::WITHDRAW, json(&withdrawals)),
        others(statements::CREATE, json(&creates)),
        bindings.lock(),
        others(statements::BIND, json(&bindings.last())),
        others(statements::END_ORPHANS, json(&openers)),
        requests,
        others(statements::CAPTURE, json(&captures)),
        others(statements::ADOPT, json(&bindings.all)),
        others(statements::EVENT, json(&events)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Archon sessions come before their connections, and may end with them.
fn lock_ending(withdrawals: &[&Withdrawal]) -> Option<Statement<'static>> {
    let connections: Vec<_> = withdrawals.iter().map(|withdrawal| withdrawal.id()).collect();
    Some(Statement::Lock(order::LOCK_ARCHON, "[]".to_owned(), json(&connections)?))
}

/// What is bound in a batch.
#[derive(Default)]
struct Bindings {
    all: Vec<Binding>,
}

impl Bindings {
    fn add(&mut self, binding: Binding) {
        self.all.push(binding);
    }

    /// Connections that are about to be bound, and those bound to the same Archon sessions.
    fn lock(&self) -> Option<Statement<'static>> {
        let connections: Vec<_> = self.all.iter().map(|binding| &binding.protocol_session_id).collect();
        let archon: Vec<_> = self.all.iter().map(|binding| binding.session_id).collect();
        Some(Statement::Lock(order::LOCK_CONNECTIONS, json(&archon)?, json(&connections)?))
    }

    /// The last one of each connection, by id.
    fn last(&self) -> Vec<&Binding> {
        let last: BTreeMap<&str, &Binding> =
            self.all.iter().map(|binding| (&*binding.protocol_session_id, binding)).collect();
        last.into_values().collect()
    }
}

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
    pub(super) fn new(options: PgConnectOptions, pooled: bool) -> Self {
        let options =
            if pooled { options } else { options.options([("lock_timeout", order::ROW_PATIENCE.as_millis())]) };
        let line = Line { options, pooled, connection: None, hands: Hands::default() };
        Self { line, in_doubt: false }
    }

    async fn write_whole(&mut self, batch: &Batch, tries: &mut Tries) -> Result<(), StoreError> {
        if batch.is_held {
            return Err(StoreError::Held("rows that were held a moment ago".to_owned()));
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
    async fn begin(&mut self, tries: &mut Tries) -> Result<Transaction<'_, Postgres>, StoreError> {
        let patience = tries.patience(self.hands.patience(HAND_PATIENCE));
        let statement = order::begin(self.pooled, patience, order::ROW_PATIENCE);
        self.connected().await?;
        let Self { connection, hands, .. } = self;
        let Some(connection) = connection else { return Err(StoreError::Unavailable("no connection".to_owned())) };
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

async fn execute_all(connection: &mut PgConnection, statements: &[Statement<'_>]) -> Result<(), StoreError> {
    for statement in statements {
        statement.execute(connection).await?;
    }
    Ok(())
}
