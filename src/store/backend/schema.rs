//! What a database holds before we use it, and what our migrations make of it.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres, SqliteConnection, Transaction};

use super::error::OpenError;
use super::foreign::Foreign;
use super::options::Role;
use super::{copy, pooler};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations/postgres");
const MIGRATIONS_TABLE: &str = "archonctl_migrations";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x6172_6368_6f6e;
/// How often a migration is tried that PostgreSQL chose to break off.
const MIGRATION_TRIES: u32 = 10;

const OLDEST_PROGRAM: &str = "SELECT value FROM archonctl_meta WHERE key = 'oldest_program'";
const NEWEST_MIGRATION: &str = "SELECT MAX(version) FROM archonctl_migrations";

/// What was found in a database.
#[derive(Debug, Default)]
struct Found {
    tables: Vec<String>,
    oldest_program: Option<String>,
    newest_migration: Option<i64>,
    /// PostgreSQL's name of it.
    encoding: Option<String>,
}

/// Whose tables a database holds.
#[derive(Debug)]
pub(in crate::store) enum Tables {
    /// Ours, and what they lack; nothing of ours may be there yet.
    Ours(Option<Missing>),
    /// Somebody else's: opened to look only (see [`Role::Reader`]).
    Foreign(Foreign),
}

/// What a database lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Missing {
    /// All: nothing of ours is in it yet.
    Everything,
    /// The migrations from this one on.
    From(i64),
}

impl Found {
    /// Whether our schema is there. Tables of the sessions without our mark are an original Archon's.
    fn is_ours(&self) -> Result<bool, OpenError> {
        let has = |name: &str| self.tables.iter().any(|t| t == name);
        if has(MIGRATIONS_TABLE) && has("archonctl_meta") {
            return Ok(true);
        }
        if ["archon_mcp_sessions", "archon_mcp_requests", "archon_projects"].into_iter().any(has) {
            return Err(OpenError::Foreign);
        }
        Ok(false)
    }

    /// Whether it is an original Archon's, with all that is read of one.
    fn is_original(&self) -> bool {
        let has = |name: &str| self.tables.iter().any(|t| t == name);
        !has(MIGRATIONS_TABLE) && has("archon_mcp_sessions") && has("archon_mcp_requests")
    }

    /// Which migrations are missing, where a database in that state may be used at all. What is up to date is opened
    /// without a write: a busy database keeps nobody from looking, and a role that may only read can look too.
    fn missing(
        &self,
        role: Role,
        migrations: &Migrator,
        shown: impl Fn() -> String,
    ) -> Result<Option<Missing>, OpenError> {
        let is_ours = self.is_ours()?;
        if !is_ours && matches!(role, Role::Operator | Role::Reader) {
            return Err(OpenError::Missing { database: shown() });
        }
        check_version(self.oldest_program.as_deref())?;
        if role == Role::Reader {
            return Ok(None);
        }
        if let Some(encoding) = self.encoding.as_ref().filter(|encoding| *encoding != "UTF8") {
            return Err(OpenError::Encoding { database: shown(), encoding: encoding.clone() });
        }
        if !is_ours {
            return Ok(Some(Missing::Everything));
        }
        let next = migrations.iter().map(|m| m.version).filter(|version| Some(*version) > self.newest_migration).min();
        Ok(next.map(Missing::From))
    }
}

fn check_version(needs: Option<&str>) -> Result<(), OpenError> {
    let parts = |v: &str| v.split('.').map(|p| p.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
    match needs {
        Some(needs) if parts(needs) > parts(VERSION) => {
            Err(OpenError::TooNew { needs: needs.to_owned(), ours: VERSION })
        }
        _ => Ok(()),
    }
}

/// Looks into a SQLite file, for which nothing in it is changed.
pub(in crate::store) async fn look_into_sqlite(
    path: &Path,
    role: Role,
    options: &SqliteConnectOptions,
) -> Result<Tables, OpenError> {
    let found = match look_with(&options.clone().read_only(true)).await {
        Err(error) if was_cut_short(&error) && role == Role::Reader => {
            return Err(OpenError::CutShort { path: path.to_owned() });
        }
        // A connection that may write puts it right as it opens.
        Err(error) if was_cut_short(&error) => look_with(options).await,
        looked => looked,
    };
    let (found, foreign) = found.map_err(|error| sqlite_error(path, error))?;
    if let Some(foreign) = foreign.filter(|_| role == Role::Reader) {
        return Ok(Tables::Foreign(foreign));
    }
    // A file is one program's. A PostgreSQL database is made to be shared.
    if let (false, Some(table)) = (found.is_ours()?, found.tables.first()) {
        return Err(OpenError::Occupied { path: path.to_owned(), table: table.clone() });
    }
    Ok(Tables::Ours(found.missing(role, &SQLITE_MIGRATIONS, || path.display().to_string())?))
}

async fn look_with(options: &SqliteConnectOptions) -> sqlx::Result<(Found, Option<Foreign>)> {
    let mut connection = options.connect().await?;
    let found = found_in_sqlite(&mut connection).await?;
    let foreign = if found.is_original() { Some(Foreign::in_sqlite(&mut connection).await?) } else { None };
    connection.close().await?;
    Ok((found, foreign))
}

/// Whether somebody was killed while it wrote to the file: `SQLITE_READONLY_ROLLBACK`, `SQLITE_READONLY_RECOVERY`.
fn was_cut_short(error: &sqlx::Error) -> bool {
    matches!(extended_code(error), Some(776 | 264))
}

fn extended_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

async fn found_in_sqlite(connection: &mut SqliteConnection) -> sqlx::Result<Found> {
    let tables = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'");
    let mut found = Found { tables: tables.fetch_all(&mut *connection).await?, ..Found::default() };
    if matches!(found.is_ours(), Ok(true)) {
        found.oldest_program = sqlx::query_scalar(OLDEST_PROGRAM).fetch_optional(&mut *connection).await?;
        found.newest_migration = sqlx::query_scalar(NEWEST_MIGRATION).fetch_one(&mut *connection).await?;
    }
    Ok(found)
}

pub(in crate::store) fn sqlite_error(path: &Path, error: sqlx::Error) -> OpenError {
    match extended_code(&error).map(|code| code & 0xff) {
        Some(26) => OpenError::NotADatabase { path: path.to_owned() },
        _ => OpenError::Unwritable { path: path.to_owned(), reason: error.into() },
    }
}

/// Brings a SQLite file up to date, all or nothing; one that holds data is copied before.
///
/// sqlx takes no lock for SQLite's migrations: an exclusive transaction is one.
pub(in crate::store) async fn migrate_sqlite(
    connection: &mut SqliteConnection,
    path: &Path,
    missing: Missing,
) -> Result<(), OpenError> {
    if let Missing::From(migration) = missing {
        let copy = copy::before(connection, path, migration).await?;
        tracing::info!(copy = %copy.display(), "the database was copied before its schema changes");
    }
    let failed = |e: sqlx::Error| OpenError::Migration(e.into());
    let mut transaction = connection.begin_with("BEGIN EXCLUSIVE").await.map_err(failed)?;
    migrator(&SQLITE_MIGRATIONS)
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|e| OpenError::Migration(e.into()))?;
    transaction.commit().await.map_err(failed)
}

/// Looks into a PostgreSQL database, and brings its schema up to date where that is missing, all or nothing. Tables that are
/// not ours are told.
pub(in crate::store) async fn prepare_postgres(
    connection: &mut PgConnection,
    pooled: bool,
    role: Role,
    shown: &str,
) -> Result<Option<Foreign>, OpenError> {
    let unreachable = |e: sqlx::Error| OpenError::Unreachable { database: shown.to_owned(), reason: e.into() };
    let mut tries = 0;
    loop {
        // All in one transaction: a pooler keeps neither statements nor locks beyond it.
        let mut transaction = connection.begin_with(pooler::begin(pooled)).await.map_err(unreachable)?;
        let found = found_in_postgres(&mut transaction).await.map_err(unreachable)?;
        if role == Role::Reader && found.is_original() {
            return Foreign::in_postgres(&mut transaction).await.map(Some).map_err(unreachable);
        }
        if found.missing(role, &POSTGRES_MIGRATIONS, || shown.to_owned())?.is_none() {
            return Ok(None);
        }
        tries += 1;
        match migrate_postgres(transaction).await {
            Ok(()) => return Ok(None),
            // Older servers are at work on the tables, and their order of locks is not ours.
            Err(error) if is_deadlock(&error) && tries < MIGRATION_TRIES => {
                tracing::debug!(%error, tries, "migrating again");
            }
            Err(error) => return Err(OpenError::Migration(error.into())),
        }
    }
}

async fn migrate_postgres(mut transaction: Transaction<'_, Postgres>) -> Result<(), MigrateError> {
    // Servers that start together migrate one after the other.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    let migrator = Migrator { locking: false, ..migrator(&POSTGRES_MIGRATIONS) };
    migrator.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

fn is_deadlock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(sqlx::Error::Database(cause))
    | MigrateError::ExecuteMigration(sqlx::Error::Database(cause), _)) = error
    else {
        return false;
    };
    cause.code().as_deref() == Some("40P01")
}

async fn found_in_postgres(connection: &mut PgConnection) -> sqlx::Result<Found> {
    let tables = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()");
    let mut found = Found { tables: tables.fetch_all(&mut *connection).await?, ..Found::default() };
    found.encoding =
        Some(sqlx::query_scalar("SELECT current_setting('server_encoding')").fetch_one(&mut *connection).await?);
    if matches!(found.is_ours(), Ok(true)) {
        found.oldest_program = sqlx::query_scalar(OLDEST_PROGRAM).fetch_optional(&mut *connection).await?;
        found.newest_migration = sqlx::query_scalar(NEWEST_MIGRATION).fetch_one(&mut *connection).await?;
    }
    Ok(found)
}

/// Our migrations, in our table, next to those of a newer program that lets us in.
fn migrator(embedded: &Migrator) -> Migrator {
    Migrator {
        migrations: embedded.migrations.clone(),
        ignore_missing: true,
        table_name: MIGRATIONS_TABLE.into(),
        ..Migrator::DEFAULT
    }
}
