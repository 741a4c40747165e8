//! Opening a database: found, checked to be ours, brought up to date, or refused in one sentence with nothing changed.

use std::fs::{File, OpenOptions as FileOptions};
use std::io::{ErrorKind, Read, Seek, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::backend::{Backend, PgBackend, SqliteBackend};
use super::file::OpenFile;
use super::fold::Fold;
use super::outage::Outage;
use super::postgres::PgSink;
use super::sqlite::{SqliteSink, SqliteTarget};
use super::statements::Dialect;
use super::workers::Workers;
use super::writer::{self, Queued, Shared, Writer};
use super::{Inner, Location, OpenError, Store, Tables, checkpoints, pooler, schema};

/// Reading connections of a server, and of anybody else, who asks one question after the other.
const READERS: u32 = 4;
const ASKERS: u32 = 2;
/// So many rows of an answer may wait for whoever asked.
const BUFFERED_ROWS: usize = 1000;
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
        let (writer, queue, shared) = Writer::new(fold.clone(), outage.clone());
        let (role, workers) = (options.role, Workers::default());
        let mut tables = Tables::Ours;
        let backend = match &options.location {
            Location::Postgres(url) => {
                let (postgres, pg);
                (postgres, pg, tables) = Box::pin(open_postgres(url, options)).await?;
                let sink = PgSink::new(pg, postgres.pooled);
                workers.task("writer", |breaker| writer::run(queue, shared, sink, breaker));
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
                open_sqlite(&target, role, lock, (queue, shared), &workers).await?
            }
            Location::SqliteMemory => {
                let path = PathBuf::from(format!("/archonctl-{}", uuid::Uuid::new_v4()));
                let target = SqliteTarget { path, vfs: Some("memdb"), sync_full: false, own_checkpoints: false };
                open_sqlite(&target, role, None, (queue, shared), &workers).await?
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
async fn prepare_file_in_time(path: &Path, role: Role) -> Result<Option<File>, OpenError> {
    let began = Instant::now();
    loop {
        match prepare_file(path, role) {
            Err(OpenError::InUse { .. }) if began.elapsed() < LOCK_PATIENCE => tokio::time::sleep(LOCK_PAUSE).await,
            prepared => return prepared,
        }
    }
}

/// Makes folder and file (0700, 0600) where they may be made, and takes the lock beside it for a server.
fn prepare_file(path: &Path, role: Role) -> Result<Option<File>, OpenError> {
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
    let lock = if role == Role::Server { Some(lock_beside(path)?) } else { None };
    FileOptions::new().create(true).append(true).mode(0o600).open(path).map_err(unwritable)?;
    Ok(lock)
}

/// The system's own words, but for the one case in which they mislead: "File exists".
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "what should be its folder is a file".to_owned(),
        _ => error.to_string(),
    }
}

/// A lock that ends with its holder, however that ends.
fn lock_beside(path: &Path) -> Result<File, OpenError> {
    let mut name = path.to_owned().into_os_string();
    name.push(".lock");
    let unwritable = |e: std::io::Error| OpenError::Unwritable { path: path.to_owned(), reason: e.to_string() };
    let mut file = FileOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(unwritable)?;
    if let Err(error) = file.try_lock() {
        return Err(match error {
            std::fs::TryLockError::WouldBlock => {
                let mut pid = String::new();
                // Who it is, is a courtesy: an unreadable file does not change the answer.
                _ = file.read_to_string(&mut pid);
                OpenError::InUse { path: path.to_owned(), pid: pid.trim().to_owned() }
            }
            std::fs::TryLockError::Error(e) => unwritable(e),
        });
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unwritable)?;
    Ok(file)
}

async fn open_sqlite(
    target: &SqliteTarget,
    role: Role,
    lock: Option<File>,
    (queue, shared): (mpsc::Receiver<Queued>, Arc<Shared>),
    workers: &Workers,
) -> Result<Backend, OpenError> {
    let fails = |error: sqlx::Error| schema::sqlite_error(&target.path, &error);
    let plain = SqliteConnectOptions::new()
        .filename(&target.path)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(if target.sync_full { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .foreign_keys(true)
        .disable_statement_logging();
    let (mut options, needs_migration) = if let Some(vfs) = target.vfs {
        (plain.vfs(vfs).create_if_missing(true), true)
    } else {
        let needs_migration = schema::look_into_sqlite(&target.path, role, &plain).await?;
        (plain.journal_mode(SqliteJournalMode::Wal), needs_migration)
    };
    if target.own_checkpoints {
        options = options.pragma("wal_autocheckpoint", "0");
    }
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(None)
        .max_lifetime(None)
        // There is no network in between that could break.
        .test_before_acquire(false);
    let writer = pool.clone().max_connections(1).connect_with(options.clone()).await.map_err(fails)?;
    if needs_migration {
        schema::migrate_sqlite(&mut *writer.acquire().await.map_err(fails)?).await?;
    }
    let reading = if target.vfs.is_none() { options.read_only(true) } else { options };
    // All rows are wanted: to wait for each of them to be taken costs more than to read it.
    let reading = reading.row_buffer_size(BUFFERED_ROWS);
    let most = if role == Role::Server { READERS } else { ASKERS };
    let readers = pool.max_connections(most).connect_with(reading).await.map_err(fails)?;
    let gate = Arc::new(Mutex::new(()));
    let unwritable = |reason: String| OpenError::Unwritable { path: target.path.clone(), reason };
    if target.own_checkpoints {
        let started = checkpoints::spawn(target, gate.clone(), Arc::downgrade(&shared), workers);
        started.map_err(|e| unwritable(e.to_string()))?;
    }
    let file = match target.vfs {
        Some(_) => None,
        None => Some(OpenFile::at(&target.path).map_err(|e| unwritable(e.to_string()))?),
    };
    let sink = SqliteSink::spawn(target, file.clone(), gate.clone(), workers).map_err(|e| unwritable(e.to_string()))?;
    workers.task("writer", |breaker| writer::run(queue, shared, sink, breaker));
    Ok(Backend::Sqlite(SqliteBackend { readers, writer, gate, file, _lock: lock }))
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
    let pool = PgPoolOptions::new().max_connections(READERS + 2).acquire_timeout(Duration::from_secs(3));
    let pool = pool.connect_with(pg.clone()).await.map_err(unreachable)?;
    Ok((PgBackend { pool, pooled }, pg, tables))
}
