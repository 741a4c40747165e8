//! A row's way to the disk: the queue, the batches, and who commits them on either database.

mod aside;
mod batch;
mod dropped;
mod postgres;
mod shared;
mod sqlite;
mod statements;
mod task;
mod ticket;
mod writer;

pub(super) use batch::Queued;
pub(super) use postgres::PgSink;
pub(super) use shared::Shared;
pub(super) use sqlite::SqliteSink;
pub(super) use statements::EVENT;
pub(super) use task::run;

pub use shared::WriterStats;
pub use ticket::{Commit, Ticket};
pub use writer::{CAPACITY, Writer};
