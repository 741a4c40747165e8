//! A SQLite file is copied beside itself before its schema changes: whoever goes back to an older program has its data.

use std::fs::{self, File};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::error::OpenError;
use super::reason::Reason;
use crate::model::private;

/// Room that stays free when the copy is made: the migration itself writes, too.
const SPARE_BYTES: u64 = 16 << 20;

/// Copies the file as it is before that migration to `NAME.before-0002`, whole or not at all. One that is there already was
/// made before a migration that never came to its end, and is replaced.
pub(in crate::store) async fn before(
    connection: &mut SqliteConnection,
    path: &Path,
    migration: i64,
) -> Result<PathBuf, OpenError> {
    let copy = beside(path, &format!(".before-{migration:04}"));
    let part = beside(&copy, ".part");
    let failed = |reason: Reason| OpenError::Copy { path: copy.clone(), reason };
    let pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let bytes: i64 = sqlx::query_scalar(pages).fetch_one(&mut *connection).await.map_err(|e| failed(e.into()))?;
    prepare(&part, u64::try_from(bytes).unwrap_or(0)).map_err(|e| failed(e.into()))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(part.to_string_lossy().as_ref()).execute(connection).await;
    let kept = copied.map_err(Reason::from).and_then(|_| Ok(keep(&part, &copy)?));
    if let Err(reason) = kept {
        // What is left of it is of no use.
        _ = fs::remove_file(&part);
        return Err(failed(reason));
    }
    Ok(copy)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// An empty file that nobody else can read, for SQLite to fill; of a copy that was broken off, nothing stays.
fn prepare(part: &Path, bytes: u64) -> Result<(), Error> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = private::make_file(part)?;
    let disk = rustix::fs::fstatvfs(&file)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < bytes.saturating_add(SPARE_BYTES) {
        let needed = bytes.saturating_add(SPARE_BYTES) >> 20;
        fs::remove_file(part)?;
        return Err(Error::new(
            ErrorKind::StorageFull,
            format!("it needs {needed} MiB of disk, and {} are free", free >> 20),
        ));
    }
    Ok(())
}

/// On disk under its name, or not there.
fn keep(part: &Path, copy: &Path) -> Result<(), Error> {
    File::open(part)?.sync_all()?;
    fs::rename(part, copy)?;
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
