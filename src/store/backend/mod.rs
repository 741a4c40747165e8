//! The two databases: found, opened and closed, read and written in transactions. What is written is not known here.

mod bulk;
mod checkpoints;
mod close;
mod codec;
mod copy;
mod databases;
mod dialect;
mod error;
mod file;
mod foreign;
mod held;
mod keeper;
mod location;
mod lock;
mod open;
mod options;
pub(super) mod order;
mod outage;
mod pooler;
mod pools;
mod schema;
mod scratch;
mod sqlite;
pub(super) mod transaction;
mod workers;

pub(super) use bulk::{RowStatement, json};
pub(super) use codec::DbUuid;
pub(super) use databases::{Backend, SqliteBackend};
pub(super) use dialect::{Dialect, Text, containing};
pub(super) use file::OpenFile;
pub(super) use foreign::Foreign;
pub(super) use keeper::Keeper;
pub(super) use open::{OpenSqlite, open_postgres, open_sqlite};
pub(super) use pooler::is_in_between as is_pooler_in_between;
pub(super) use pools::Gate;
pub(super) use sqlite::{Shelf, SqliteTarget};
pub(super) use transaction::{Checkout, begin_reading, in_time, read, report, reread, transact};
pub(super) use workers::{Breaker, Workers};

pub use error::{OpenError, Reason, StoreError};
pub use held::Held;
pub use location::Location;
pub use options::{OpenOptions, Role};
pub use outage::{Outage, Work};
pub use scratch::Scratch;
pub use workers::Broken;
