//! How large the database is, and how much is left for it.

use std::path::Path;

use super::backend::{Backend, Location, read};
use super::{Store, StoreError};

/// What a database takes, and what is left on its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// What the database takes, in bytes. Of a SQLite file that is what is in use, with its log: pages that retention has
    /// emptied are filled again before the file grows.
    pub bytes: u64,
    /// The disk of a SQLite file; nobody tells us of another machine's.
    pub disk: Option<Disk>,
}

/// A disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disk {
    /// What is left for the database, its own empty pages included.
    pub free: u64,
    /// What there is in all.
    pub total: u64,
}

const PAGES: &str = "SELECT page_count * page_size, freelist_count * page_size \
     FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
const SIZE: &str = "SELECT pg_database_size(current_database()), CAST(0 AS BIGINT)";

impl Store {
    /// How large the database is now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn space(&self) -> Result<Space, StoreError> {
        let size = match self.backend() {
            Backend::Sqlite(_) => PAGES,
            Backend::Postgres(_) => SIZE,
        };
        let (all, empty): (i64, i64) = read!(self, db => sqlx::query_as(size).fetch_one(db).await)?;
        let (all, empty) = (u64::try_from(all).unwrap_or(0), u64::try_from(empty).unwrap_or(0));
        let disk = match self.location() {
            Location::SqliteFile(path) => disk(path).map(|disk| Disk { free: disk.free + empty, ..disk }),
            Location::SqliteMemory | Location::Postgres(_) => None,
        };
        Ok(Space { bytes: all.saturating_sub(empty) + self.log_bytes(), disk })
    }
}

/// The disk that a file is on, as far as we may fill it.
fn disk(path: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{OpenOptions, Role};

    #[tokio::test]
    async fn a_file_grows_on_a_disk_that_has_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::SqliteFile(folder.path().join("db"));
        let options = OpenOptions { location, role: Role::Server, sync_full: false };
        let store = Store::open(&options).await.expect("a store");
        let space = store.space().await.expect("its size");
        let disk = space.disk.expect("a disk");
        assert!(space.bytes > 10_000 && disk.free > 0 && disk.free < disk.total + space.bytes, "{space:?}");
        store.close().await.expect("closed");
    }
}
