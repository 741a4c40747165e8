//! The statements for a batch on PostgreSQL: one for each kind of row, in the order in which locks are taken.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use crate::model::request::Tokens;
use crate::model::session::SessionRule;
use crate::store::backend::{Dialect, RowStatement, StoreError, json, order};
use crate::store::commit::batch::Batch;
use crate::store::commit::statements;
use crate::store::rows::{Binding, CaptureRow, NewRequest, Numbered, Withdrawal, Write};

/// A write of a batch, with its place there and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) at: usize,
    pub(super) write: &'a Write,
    seq: i64,
}

pub(super) fn entries(batch: &Batch) -> Vec<Entry<'_>> {
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

/// One statement of a batch, with its rows.
pub(super) enum Statement<'a> {
    Requests(Vec<Numbered<'a, NewRequest>>),
    Others(&'static RowStatement, String),
    /// A lock of sessions in their order: [`order::LOCK_ARCHON`] or [`order::LOCK_CONNECTIONS`] with its two arrays of ids,
    /// of Archon sessions and of connections.
    Lock(&'static str, String, String),
}

impl Statement<'_> {
    /// Whether it only adds rows. What changes rows has its place in the order of locks.
    pub(super) fn is_insert(&self) -> bool {
        match self {
            Self::Requests(_) => true,
            Self::Others(statement, _) => statement.is_insert(),
            Self::Lock(..) => false,
        }
    }

    pub(super) async fn execute(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match self {
            Self::Requests(rows) => return insert_requests(connection, rows).await,
            Self::Others(statement, rows) => {
                sqlx::query(statement.sql(Dialect::Postgres)).bind(rows).execute(connection).await?
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
pub(super) fn statements_for<'a>(writes: &[Entry<'a>], boot: i64) -> Vec<Statement<'a>> {
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
        others(&statements::OPEN, json(&opens)),
        lock_ending(&withdrawals),
        others(&statements::WITHDRAW, json(&withdrawals)),
        others(&statements::CREATE, json(&creates)),
        bindings.lock(),
        others(&statements::BIND, json(&bindings.last())),
        others(&statements::END_ORPHANS, json(&openers)),
        requests,
        others(&statements::CAPTURE, json(&captures)),
        others(&statements::ADOPT, json(&bindings.all)),
        others(&statements::EVENT, json(&events)),
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

pub(super) async fn execute_all(connection: &mut PgConnection, statements: &[Statement<'_>]) -> Result<(), StoreError> {
    for statement in statements {
        statement.execute(connection).await?;
    }
    Ok(())
}
