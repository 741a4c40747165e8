//! Whether a transaction pooler (`PgBouncer`, Supavisor) stands before PostgreSQL: then every transaction may run on another
//! connection, and nothing that belongs to one outlives it — no prepared statement, no session lock, no LISTEN.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::time::timeout;

/// A pooler whose connections are all taken lets a client wait; PostgreSQL itself answers such a question at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a transaction begins. Behind a pooler the connection may hold prepared statements of whoever had it before, under
/// the names that ours are about to get: sqlx counts, and every client of it counts from one.
pub(super) const fn begin(pooled: bool) -> &'static str {
    if pooled { "BEGIN; DEALLOCATE ALL" } else { "BEGIN" }
}

/// Looks which connection of the server answers the second of two clients, while the first is in a transaction and when it
/// is not any more: a pooler gives it the one that the first has just given back.
pub(super) async fn is_in_between(options: &PgConnectOptions) -> sqlx::Result<bool> {
    let (mut first, mut second) = (options.connect().await?, options.connect().await?);
    first.execute("BEGIN").await?;
    let Ok(alone) = timeout(PATIENCE, backend(&mut second)).await else { return Ok(true) };
    let alone = alone?;
    let busy = backend(&mut first).await?;
    first.execute("COMMIT").await?;
    let mut moved = busy == alone;
    // More than once, for a pooler that takes its connections in turn.
    for _ in 0..3 {
        moved |= backend(&mut second).await? != alone;
    }
    // How they end changes nothing.
    _ = first.close().await;
    _ = second.close().await;
    Ok(moved)
}

/// The process behind a connection, by the simple protocol: nothing is prepared for it.
async fn backend(connection: &mut PgConnection) -> sqlx::Result<String> {
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    let value = row.try_get_raw(0)?;
    Ok(value.as_str().map_err(sqlx::Error::Decode)?.to_owned())
}
