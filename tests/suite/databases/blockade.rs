//! Another program that holds locks, so that a server's writes have to wait.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

use super::Database;

/// How long it waits for a server that writes just now.
const PATIENCE: Duration = Duration::from_secs(30);

/// Locks that are held until they are released, or this is dropped.
pub(crate) enum Blockade {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Blockade {
    /// Takes what `lock` says, such as `LOCK TABLE t IN EXCLUSIVE MODE`. SQLite has one lock for all writers.
    pub(crate) async fn of(db: &Database, lock: &str) -> Self {
        if db.is_postgres() {
            let mut connection = PgConnection::connect(db.url()).await.expect("a connection");
            connection.execute(AssertSqlSafe(format!("BEGIN; {lock}"))).await.expect("the lock");
            return Self::Postgres(connection);
        }
        let options = db.url().parse::<SqliteConnectOptions>().expect("a URL").busy_timeout(PATIENCE);
        let mut connection = options.connect().await.expect("a connection");
        connection.execute("BEGIN IMMEDIATE").await.expect("the lock");
        Self::Sqlite(connection)
    }

    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(mut connection) => _ = connection.execute("ROLLBACK").await.expect("released"),
            Self::Postgres(mut connection) => _ = connection.execute("ROLLBACK").await.expect("released"),
        }
    }
}
