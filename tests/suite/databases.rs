//! Databases for tests. Each test gets its own, under a name that nobody else has, and it is gone when it is dropped.
//!
//! A promise of the store is tested on every database with one body:
//!
//! ```ignore
//! use crate::databases::on_every_database;
//!
//! on_every_database!(an_end_is_kept, |db| async {
//!     let store = Store::open(db.url()).await.expect("open");
//!     …
//!     assert_eq!(db.value("SELECT status FROM archon_mcp_sessions"), "expired");
//! });
//! ```
//!
//! which makes the tests `an_end_is_kept::sqlite` and `an_end_is_kept::postgres`.

use std::path::Path;
use std::str::FromStr;
use std::{env, thread};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, ValueRef, postgres::PgRow};
use tempfile::TempDir;
use uuid::Uuid;

mod blockade;
mod cluster;
mod tests;

pub(crate) use blockade::Blockade;
pub(crate) use cluster::Cluster;

/// Where PostgreSQL is: the URL of a maintenance database, in which new ones may be created. `scripts/test.sh` sets it.
const POSTGRES: &str = "ARCHONCTL_TEST_POSTGRES";
/// The name of a database on it to copy instead of the empty one.
const TEMPLATE: &str = "ARCHONCTL_TEST_TEMPLATE";

/// A database of one test.
pub(crate) struct Database {
    url: String,
    /// The maintenance database, where it is PostgreSQL.
    maintenance: Option<String>,
    folder: TempDir,
}

impl Database {
    /// A SQLite database in a temporary folder. The file does not exist until somebody writes to it.
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("archon.db").display());
        Self { url, maintenance: None, folder }
    }

    /// A PostgreSQL database, or `None` (and the test is to return) where there is no PostgreSQL.
    ///
    /// # Panics
    ///
    /// Where there is none although `CI` is set: there, a skipped test would look like a passed one.
    pub(crate) fn postgres() -> Option<Self> {
        let Ok(maintenance) = env::var(POSTGRES) else {
            assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI is set, but {POSTGRES} is not");
            println!("skipped: no PostgreSQL");
            return None;
        };
        Some(Self::on_postgres(maintenance))
    }

    /// A database of its own on the PostgreSQL with that maintenance database.
    pub(crate) fn on_postgres(maintenance: String) -> Self {
        let name = format!("archonctl_{}", Uuid::new_v4().simple());
        let template = env::var(TEMPLATE).unwrap_or_else(|_| "template1".to_owned());
        block_on(rows_of_postgres(&maintenance, &format!("CREATE DATABASE {name} TEMPLATE {template}")))
            .expect("create a database for this test");
        let mut url = reqwest::Url::parse(&maintenance).expect("the URL of a maintenance database");
        url.set_path(&name);
        let folder = TempDir::new().expect("a temporary folder");
        Self { url: url.into(), maintenance: Some(maintenance), folder }
    }

    /// The URL of the maintenance database, where it is PostgreSQL.
    pub(crate) fn maintenance(&self) -> Option<&str> {
        self.maintenance.as_deref()
    }

    /// What `--database-url` takes.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A temporary folder that lives as long as the database: for token files, and as the home of processes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.maintenance.is_some()
    }

    /// Runs SQL past our own code, as an operator would in `psql` or `sqlite3`; several statements may stand in it.
    /// Every value comes back as the database writes it as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let rows = if self.is_postgres() {
            block_on(rows_of_postgres(&self.url, sql))
        } else {
            block_on(rows_of_sqlite(&self.url, sql))
        };
        rows.unwrap_or_else(|e| panic!("{e}\nin: {sql}"))
    }

    /// The one value that a statement yields: one row, one column, not NULL.
    pub(crate) fn value(&self, sql: &str) -> String {
        match self.rows(sql).as_slice() {
            [row] if row.len() == 1 => row[0].clone().unwrap_or_else(|| panic!("NULL\nfrom: {sql}")),
            rows => panic!("not one value, but {rows:?}\nfrom: {sql}"),
        }
    }
}

impl Drop for Database {
    /// Drops a PostgreSQL database, whoever is still connected to it.
    fn drop(&mut self) {
        let Some(maintenance) = &self.maintenance else { return };
        let name = self.url.rsplit('/').next().unwrap_or_default().split('?').next().unwrap_or_default();
        if let Err(e) = block_on(rows_of_postgres(maintenance, &format!("DROP DATABASE {name} WITH (FORCE)"))) {
            eprintln!("cannot drop {name}: {e}");
        }
    }
}

/// Runs a future on a thread and runtime of its own: this way it works inside a runtime, outside of one, and in `drop`.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    thread::scope(|scope| scope.spawn(move || runtime.block_on(future)).join().expect("the thread of a query"))
}

async fn rows_of_postgres(url: &str, sql: &str) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let mut connection = PgConnection::connect(url).await?;
    // A raw statement goes by the simple protocol, in which PostgreSQL answers in text.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
    let text = |row: &PgRow, i| {
        let value = row.try_get_raw(i)?;
        let text = if value.is_null() { None } else { Some(value.as_str().map_err(sqlx::Error::Decode)?.to_owned()) };
        Ok(text)
    };
    rows.iter().map(|row| (0..row.len()).map(|i| text(row, i)).collect()).collect()
}

async fn rows_of_sqlite(url: &str, sql: &str) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await?;
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
    connection.close().await?;
    // Unchecked: SQLite turns any value into text.
    let texts = |row: &SqliteRow| (0..row.len()).map(|i| row.try_get_unchecked(i)).collect();
    rows.iter().map(texts).collect()
}

/// Makes of one body the tests `name::sqlite` and `name::postgres`, each with a fresh [`Database`]. They run on two
/// threads, so that a body that blocks (on a process, on SQL) does not stop its own tasks.
macro_rules! on_every_database {
    ($(#[$attribute:meta])* $name:ident, |$db:ident| async $body:block) => {
        $(#[$attribute])*
        async fn $name($db: $crate::databases::Database) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::databases::Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(db) = $crate::databases::Database::postgres() {
                    super::$name(db).await;
                }
            }
        }
    };
}
pub(crate) use on_every_database;
