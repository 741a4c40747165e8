//! Opening a database: found, checked to be ours, brought up to date, or refused in one sentence with nothing changed.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::databases::{PgBackend, SqliteBackend};
use super::error::OpenError;
use super::file::{OpenFile, is_mounted_alone};
use super::foreign::Foreign;
use super::location::Location;
use super::lock::{self, FileLock};
use super::options::{OpenOptions, Role};
use super::order::Hands;
use super::pools::{Connect, Gate, Pools};
use super::reason::Reason;
use super::schema::{Missing, Tables};
use super::sqlite::SqliteTarget;
use super::{pooler, schema};
use crate::model::private;

/// Connections of one store to PostgreSQL, beside the writing one.
const PG_CONNECTIONS: u32 = 6;
/// How long, and how often, a file is tried that another server uses.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// How long PostgreSQL may take to let us in, and to be made ready: others may be migrating it just now.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const PREPARE_PATIENCE: Duration = Duration::from_mins(1);

/// A SQLite database that is open.
pub(in crate::store) struct OpenSqlite {
    pub(in crate::store) backend: SqliteBackend,
    /// How to connect to it.
    pub(in crate::store) target: SqliteTarget,
    /// Its tables, where they are not ours.
    pub(in crate::store) foreign: Option<Foreign>,
}

/// Opens a SQLite file, or a database in memory; a server takes its locks.
pub(in crate::store) async fn open_sqlite(mut target: SqliteTarget, role: Role) -> Result<OpenSqlite, OpenError> {
    let (path, in_memory) = (target.path.clone(), target.vfs.is_some());
    let lock = if in_memory { None } else { prepare_file_in_time(&path, role).await? };
    let fails = |error: sqlx::Error| schema::sqlite_error(&path, error);
    let unwritable = |e: std::io::Error| OpenError::Unwritable { path: path.clone(), reason: e.into() };
    let plain = Connect { target: target.clone(), role }.plain();
    let tables = if in_memory {
        Tables::Ours(Some(Missing::Everything))
    } else {
        schema::look_into_sqlite(&path, role, &plain).await?
    };
    target.read_only = matches!(tables, Tables::Foreign(_));
    let connect = Connect { target: target.clone(), role };
    let writer = connect.writer().await.map_err(fails)?;
    let foreign = match tables {
        Tables::Ours(None) => None,
        Tables::Ours(Some(missing)) => {
            schema::migrate_sqlite(&mut *writer.acquire().await.map_err(fails)?, &path, missing).await?;
            None
        }
        Tables::Foreign(foreign) => Some(foreign),
    };
    let readers = connect.readers().await.map_err(fails)?;
    let pools = Arc::new(Pools::new(connect, writer, readers));
    let file = if in_memory { None } else { Some(OpenFile::at(&path).map_err(unwritable)?) };
    let backend = SqliteBackend { pools, gate: Gate::default(), file: file.map(Arc::new), lock: Mutex::new(lock) };
    Ok(OpenSqlite { backend, target, foreign })
}

/// A server that was killed a moment ago may hold its lock until the system has cleared it away.
async fn prepare_file_in_time(path: &Path, role: Role) -> Result<Option<Arc<FileLock>>, OpenError> {
    let began = Instant::now();
    loop {
        match prepare_file(path, role) {
            Err(OpenError::InUse { .. }) if began.elapsed() < LOCK_PATIENCE => tokio::time::sleep(LOCK_PAUSE).await,
            prepared => return prepared,
        }
    }
}

/// Makes folder and file (0700, 0600) where they may be made, and takes the locks for a server.
fn prepare_file(path: &Path, role: Role) -> Result<Option<Arc<FileLock>>, OpenError> {
    if matches!(role, Role::Operator | Role::Reader) {
        return if path.is_file() {
            Ok(None)
        } else {
            Err(OpenError::Missing { database: path.display().to_string() })
        };
    }
    // Before the lock: beside a folder it would be left behind.
    if path.is_dir() {
        return Err(OpenError::Unwritable { path: path.to_owned(), reason: "it is a folder".into() });
    }
    let unwritable = |e: std::io::Error| OpenError::Unwritable { path: path.to_owned(), reason: reason(e) };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private::make_folder(folder).map_err(unwritable)?;
    }
    if role == Role::Server {
        let lock = FileLock::take(path)?;
        if is_mounted_alone(path) {
            tracing::warn!(
                "the database {} is mounted as a single file: what SQLite keeps in files beside it is lost with this \
                 container; mount its folder instead",
                path.display()
            );
        }
        return Ok(Some(Arc::new(lock)));
    }
    lock::make(path).map_err(unwritable)?;
    Ok(None)
}

/// The system's own words, but for the one case in which they mislead: "File exists".
fn reason(error: std::io::Error) -> Reason {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "its parent folder is a file".into(),
        _ => error.into(),
    }
}

fn pg_options(url: &str) -> Result<PgConnectOptions, OpenError> {
    url.parse::<PgConnectOptions>()
        // Without the one start-up parameter that poolers refuse: we read no float as text.
        .map(|options| options.application_name("archonctl").extra_float_digits(None).disable_statement_logging())
        .map_err(|_| OpenError::UnknownUrl { url: Location::Postgres(url.to_owned()).shown() })
}

/// Opens a PostgreSQL database, and tells how the writer connects to it, and of tables that are not ours.
pub(in crate::store) async fn open_postgres(
    url: &str,
    options: &OpenOptions,
) -> Result<(PgBackend, PgConnectOptions, Option<Foreign>), OpenError> {
    let mut pg = pg_options(url)?;
    let database = options.location.shown();
    let unreachable = |error: sqlx::Error| OpenError::Unreachable { database: database.clone(), reason: error.into() };
    // Plain connections first: their refusal is clear at once, where a pool would try until its time is over.
    let silent = |_| OpenError::Unreachable { database: database.clone(), reason: "it does not answer".into() };
    // For readers it is taken for granted: that costs less than finding out.
    let pooled = options.role != Role::Server
        || timeout(CONNECT_PATIENCE, pooler::is_in_between(&pg)).await.map_err(silent)?.map_err(unreachable)?;
    if pooled {
        pg = pg.statement_cache_capacity(0);
    }
    if pooled && options.role == Role::Server {
        tracing::info!("the database is behind a transaction pooler: no prepared statements, no LISTEN");
    }
    let mut connection = timeout(CONNECT_PATIENCE, pg.connect()).await.map_err(silent)?.map_err(unreachable)?;
    let prepared = schema::prepare_postgres(&mut connection, pooled, options.role, &database);
    let foreign = timeout(PREPARE_PATIENCE, prepared).await.map_err(silent)??;
    // All that we wanted of it is done: how it ends changes nothing.
    _ = connection.close().await;
    let pool = PgPoolOptions::new().max_connections(PG_CONNECTIONS).acquire_timeout(Duration::from_secs(3));
    let pool = pool.connect_with(pg.clone()).await.map_err(unreachable)?;
    Ok((PgBackend { pool, pooled, hands: Hands::default() }, pg, foreign))
}
