//! Opening a store, with the task and the threads behind it, and closing it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::backend::{
    Backend, Foreign, Keeper, Location, OpenError, OpenOptions, OpenSqlite, Reason, Role, Shelf, SqliteBackend,
    SqliteTarget, StoreError, Workers, open_postgres, open_sqlite,
};
use super::commit::{self, PgSink, Queued, Shared, SqliteSink, Writer};
use super::totals::{Fold, Totals};
use super::{Inner, Store};

/// How long what is queued, and who works for the store, may take to end: `serve` has waited for rows before.
const WORKERS_PATIENCE: Duration = Duration::from_secs(3);

/// The writing end: what is queued, and what it shares with those that wait.
type Queue = (mpsc::Receiver<Queued>, Arc<Shared>);

impl Store {
    /// Opens a database.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing was changed.
    pub async fn open(options: &OpenOptions) -> Result<Self, OpenError> {
        let (fold, outage, held) = (Arc::<Fold>::default(), Arc::default(), Arc::default());
        let (writer, queue, shared) = Writer::new(fold.clone(), Arc::clone(&outage), Arc::clone(&held));
        let (role, workers, queue) = (options.role, Workers::default(), (queue, shared));
        let (backend, foreign) = match &options.location {
            Location::Postgres(url) => {
                let (postgres, pg, foreign) = Box::pin(open_postgres(url, options)).await?;
                let (sink, (queue, shared)) = (PgSink::new(pg, postgres.pooled), queue);
                workers.task("writer", |breaker| commit::run(queue, shared, sink, breaker));
                (Backend::Postgres(postgres), foreign)
            }
            Location::SqliteFile(path) => {
                let (sync_full, own_checkpoints) = (options.sync_full, role == Role::Server);
                let (path, read_only) = (path.clone(), false);
                sqlite(SqliteTarget { path, vfs: None, sync_full, read_only, own_checkpoints }, role, queue, &workers)
                    .await?
            }
            Location::SqliteMemory => {
                let path = PathBuf::from(format!("/archonctl-{}", uuid::Uuid::new_v4()));
                let (sync_full, read_only, own_checkpoints) = (false, false, false);
                let target = SqliteTarget { path, vfs: Some("memdb"), sync_full, read_only, own_checkpoints };
                sqlite(target, role, queue, &workers).await?
            }
        };
        let backend = Arc::new(backend);
        let totals = Totals::new(backend.clone(), fold, Arc::clone(&outage), Arc::clone(&held));
        let location = options.location.clone();
        Ok(Self { inner: Arc::new(Inner { location, foreign, backend, writer, totals, outage, held, workers }) })
    }

    /// Closes it, for all who have it: nothing is read or written any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when something does not end in time, or SQLite's log cannot be emptied because another
    /// program reads it; what was committed is safe all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.writer().close();
        let joined = self.inner.workers.joined(WORKERS_PATIENCE).await;
        let closed = self.backend().close().await;
        if joined { closed } else { Err(StoreError::unavailable("its writer does not end")) }
    }
}

async fn sqlite(
    target: SqliteTarget,
    role: Role,
    (queue, shared): Queue,
    workers: &Workers,
) -> Result<(Backend, Option<Foreign>), OpenError> {
    let OpenSqlite { backend: sqlite, target, foreign } = open_sqlite(target, role).await?;
    let unwritable = |reason: Reason| OpenError::Unwritable { path: target.path.clone(), reason };
    let spawned = SqliteSink::spawn(&target, sqlite.file.clone(), sqlite.gate.clone(), workers);
    let (sink, shelf) = spawned.map_err(|e| unwritable(e.into()))?;
    if let Some(keeper) = keeper(&sqlite, &target, shelf, &shared) {
        let (work, bell) = (keeper.work().map_err(|e| unwritable(e.reason().clone()))?, workers.bell());
        let started = workers.thread("checkpoint thread", move |breaker| work(bell, breaker));
        started.map_err(|e| unwritable(e.into()))?;
    }
    workers.task("writer", |breaker| commit::run(queue, shared, sink, breaker));
    Ok((Backend::Sqlite(sqlite), foreign))
}

/// Who looks after a server's file.
fn keeper(sqlite: &SqliteBackend, target: &SqliteTarget, shelf: Shelf, shared: &Shared) -> Option<Keeper> {
    Some(Keeper {
        target: target.clone(),
        file: sqlite.file.clone()?,
        lock: sqlite.lock.lock().unwrap_or_else(PoisonError::into_inner).clone()?,
        pools: sqlite.pools.clone(),
        shelf,
        gate: sqlite.gate.clone(),
        outage: shared.outage.clone(),
        runtime: Handle::current(),
    })
}
