//! Whether a transaction pooler (`PgBouncer`, Supavisor) stands before PostgreSQL: then every transaction may run on another
//! connection, and nothing that belongs to one outlives it — no prepared statement, no session lock, no LISTEN.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::time::timeout;

/// How many newcomers are looked at.
const LOOKS: u32 = 3;
/// A pooler whose connections are all taken lets a client wait; PostgreSQL itself answers such a question at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a transaction begins. Behind a pooler the connection may hold prepared statements of whoever had it before, under
/// the names that ours are about to get: sqlx counts, and every client of it counts from one.
pub(in crate::store) const fn begin(pooled: bool) -> &'static str {
    if pooled { "BEGIN; DEALLOCATE ALL" } else { "BEGIN" }
}

/// PostgreSQL itself begins a process for every client that comes; a pooler hands out one that was there before. More than
/// one look, because a pooler may open one more just then.
pub(in crate::store) async fn is_in_between(options: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut known = options.connect().await?;
    for _ in 0..LOOKS {
        let now = one(&mut known, "SELECT clock_timestamp()").await?;
        let mut newcomer = options.connect().await?;
        let older = format!("SELECT backend_start < '{now}' FROM pg_stat_activity WHERE pid = pg_backend_pid()");
        let older = timeout(PATIENCE, one(&mut newcomer, &older)).await;
        // How it ends changes nothing.
        _ = std::mem::replace(&mut known, newcomer).close().await;
        // No answer: its connections are all taken.
        let Ok(older) = older else { return Ok(true) };
        if older? == "t" {
            return Ok(true);
        }
    }
    _ = known.close().await;
    Ok(false)
}

/// The one value of a query as text, by the simple protocol: nothing is prepared for it.
async fn one(connection: &mut PgConnection, sql: &str) -> sqlx::Result<String> {
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?;
    let value = row.try_get_raw(0)?;
    Ok(value.as_str().map_err(sqlx::Error::Decode)?.to_owned())
}
