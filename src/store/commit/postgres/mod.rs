//! PostgreSQL's side of the group commit: one task with one connection, one statement for each kind of row in a batch.
//!
//! One writing connection was measured to beat two and four. A batch whose COMMIT answer was lost is sent again: rows
//! carry their boot and number, and a row that is there already is left alone.

mod held_rows;
mod parts;
mod sink;
mod statement;

pub(in crate::store) use sink::PgSink;
