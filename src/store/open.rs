//! Opening a database: found, checked to be ours, brought up to date, or refused in one sentence with nothing changed.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::backend::{Backend, PgBackend, SqliteBackend};
use super::file::{OpenFile, is_mounted_alone};
use super::fold::Fold;
use super::held::Held;
use super::keeper::Keeper;
use super::lock::{self, FileLock};
use super::order::Hands;
use super::outage::Outage;
use super::pools::{Connect, Pools};
use super::postgres::PgSink;
use super::schema::Missing;
use super::sqlite::{SqliteSink, SqliteTarget};
use super::statements::Dialect;
use super::workers::Workers;
use super::writer::{Queued, Shared, Writer};
use super::{Inner, Location, OpenError, Store, Tables, commits, pooler, schema};

/// Connections of one store to PostgreSQL, beside the writing one.
const PG_CONNECTIONS: u32 = 6;
/// How long, and how often, a file is tried that another server uses.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// How long PostgreSQL may take to let us in, and to be made ready: others may be migrating it just now.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const PREPARE_PATIENCE: Duration = Duration::from_mins(1);

/// Why a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To serve from it: it is made if absent, migrated, and on SQLite locked against a second server.
    Server,
    /// To end sessions in it, or care for it: it must be there.
    Operator,
    /// To look at it: it must be there, and may be an original Archon's on PostgreSQL, which is left as it is.
    Reader,
    /// To bring its schema up to date: it is made if absent, and not locked, because servers may be at work on it.
    Migrator,
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Which one.
    pub location: Location,
    /// What for.
    pub role: Role,
    /// SQLite: survive power loss too (`--sync full`).
    pub sync_full: bool,
}

impl Store {
    /// Opens a database.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing was changed.
    pub async fn open(options: &OpenOptions) -> Result<Self, OpenError> {
        let fold = Arc::new(Fold::default());
        let outage = Arc::new(Outage::default());
        let held = Arc::new(Held::default());
        let (writer, queue, shared) = Writer::new(fold.clone(), outage.clone(), held.clone());
        let (role, workers) = (options.role, Workers::default());
        let mut tables = Tables::Ours;
        let backend = match &options.location {
            Location::Postgres(url) => {
                let (postgres, pg);
                (postgres, pg, tables) = Box::pin(open_postgres(url, options)).await?;
                let sink = PgSink::new(pg, postgres.pooled);
                workers.task("writer", |breaker| commits::run(queue, shared, sink, breaker));
                Backend::Postgres(postgres)
            }
            Location::SqliteFile(path) => {
                let lock = prepare_file_in_time(path, role).await?;
                let target = SqliteTarget {
                    path: path.clone(),
                    vfs: None,
                    sync_full: options.sync_full,
                    own_checkpoints: role == Role::Server,
                };
                open_sqlite(target, role, lock, (queue, shared), &workers).await?
            }
            Location::SqliteMemory => {
                let path = PathBuf::from(format!("/archonctl-{}", uuid::Uuid::new_v4()));
                let target = SqliteTarget { path, vfs: Some("memdb"), sync_full: false, own_checkpoints: false };
                open_sqlite(target, role, None, (queue, shared), &workers).await?
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                location: options.location.clone(),
                tables,
                backend,
                writer,
                fold,
                outage,
                held,
                workers,
            }),
        })
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self.inner.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }
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
    let unwritable = |e: std::io::Error| OpenError::Unwritable { path: path.to_owned(), reason: reason(&e) };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
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
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "what should be its folder is a file".to_owned(),
        _ => error.to_string(),
    }
}

async fn open_sqlite(
    target: SqliteTarget,
    role: Role,
    lock: Option<Arc<FileLock>>,
    (queue, shared): (mpsc::Receiver<Queued>, Arc<Shared>),
    workers: &Workers,
) -> Result<Backend, OpenError> {
    let fails = |error: sqlx::Error| schema::sqlite_error(&target.path, &error);
    let connect = Connect { target: target.clone(), role };
    let missing = match target.vfs {
        Some(_) => Some(Missing::Everything),
        None => schema::look_into_sqlite(&target.path, role, &connect.plain()).await?,
    };
    let writer = connect.writer().await.map_err(fails)?;
    if let Some(missing) = missing {
        schema::migrate_sqlite(&mut *writer.acquire().await.map_err(fails)?, &target.path, missing).await?;
    }
    let readers = connect.readers().await.map_err(fails)?;
    let (gate, pools) = (Arc::new(Mutex::new(())), Arc::new(Pools::new(connect, writer, readers)));
    let unwritable = |reason: String| OpenError::Unwritable { path: target.path.clone(), reason };
    let file = match target.vfs {
        Some(_) => None,
        None => Some(Arc::new(OpenFile::at(&target.path).map_err(|e| unwritable(e.to_string()))?)),
    };
    let spawned = SqliteSink::spawn(&target, file.clone(), gate.clone(), workers);
    let (sink, shelf) = spawned.map_err(|e| unwritable(e.to_string()))?;
    if let (Some(lock), Some(file)) = (lock.clone(), file.clone()) {
        let keeper = Keeper {
            target: target.clone(),
            file,
            lock,
            pools: pools.clone(),
            shelf,
            gate: gate.clone(),
            outage: shared.outage.clone(),
            shared: shared.clone(),
            runtime: Handle::current(),
        };
        let (work, bell) = (keeper.work().map_err(|e| unwritable(e.to_string()))?, workers.bell());
        let started = workers.thread("checkpoint thread", move |breaker| work(bell, breaker));
        started.map_err(|e| unwritable(e.to_string()))?;
    }
    workers.task("writer", |breaker| commits::run(queue, shared, sink, breaker));
    Ok(Backend::Sqlite(SqliteBackend { pools, gate, file, lock: std::sync::Mutex::new(lock) }))
}

fn pg_options(url: &str) -> Result<PgConnectOptions, OpenError> {
    url.parse::<PgConnectOptions>()
        // Without the one start-up parameter that poolers refuse: we read no float as text.
        .map(|options| options.application_name("archonctl").extra_float_digits(None).disable_statement_logging())
        .map_err(|_| OpenError::UnknownUrl { url: Location::Postgres(url.to_owned()).shown() })
}

async fn open_postgres(url: &str, options: &OpenOptions) -> Result<(PgBackend, PgConnectOptions, Tables), OpenError> {
    let mut pg = pg_options(url)?;
    let database = options.location.shown();
    let unreachable =
        |error: sqlx::Error| OpenError::Unreachable { database: database.clone(), reason: error.to_string() };
    // Plain connections first: their refusal is clear at once, where a pool would try until its time is over.
    let silent = |_| OpenError::Unreachable { database: database.clone(), reason: "it does not answer".to_owned() };
    // Whoever only looks does as if there were one: that costs less than finding out.
    let pooled = options.role != Role::Server
        || timeout(CONNECT_PATIENCE, pooler::is_in_between(&pg)).await.map_err(silent)?.map_err(unreachable)?;
    if pooled {
        pg = pg.statement_cache_capacity(0);
    }
    if pooled && options.role == Role::Server {
        tracing::info!("a transaction pooler stands before the database: no prepared statements, no LISTEN");
    }
    let mut connection = timeout(CONNECT_PATIENCE, pg.connect()).await.map_err(silent)?.map_err(unreachable)?;
    let prepared = schema::prepare_postgres(&mut connection, pooled, options.role, &database);
    let tables = timeout(PREPARE_PATIENCE, prepared).await.map_err(silent)??;
    // All that we wanted of it is done: how it ends changes nothing.
    _ = connection.close().await;
    let pool = PgPoolOptions::new().max_connections(PG_CONNECTIONS).acquire_timeout(Duration::from_secs(3));
    let pool = pool.connect_with(pg.clone()).await.map_err(unreachable)?;
    Ok((PgBackend { pool, pooled, hands: Hands::default() }, pg, tables))
}
