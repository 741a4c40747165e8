//! What is inside a SQLite file: whether it is still what SQLite has written there.
//!
//! A file that is cut or overwritten in place is the same file to the system. In write-ahead mode SQLite writes pages to it
//! that are in the log, and nothing else, and says how far the log was moved. So a page that has changed and is not in the
//! log was written by something else. What is compared is a sample: all pages of a small file, some of a large one.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use super::lock::FileLock;

/// The first words of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
/// What stands before the frames of a log, and before the page in each.
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;
/// So many pages of a file are compared.
const SAMPLE: u64 = 48;
/// A file is taken for strange after so many looks: one may fall into the middle of a write.
const LOOKS: u32 = 3;

/// What was found inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// What SQLite has written.
    Known,
    /// That may be so, or not: the log is to be left alone until the next look.
    Unclear,
    /// Something else.
    Strange,
}

/// How much of a log has been moved into its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    frames: i64,
    /// The part of the log's header that changes when it is begun anew.
    begun: [u8; 12],
}

impl Moved {
    /// So many frames of that log. To open and close it costs no lock of SQLite's: those are on the other files.
    pub(super) fn of(frames: i64, log: &Path) -> Self {
        let mut begun = [0; 12];
        // One that was begun anew and has nothing in it yet has no header.
        _ = File::open(log).and_then(|log| log.read_exact_at(&mut begun, 12));
        Self { frames, begun }
    }
}

/// The content of an open file, as it was at the last look.
#[derive(Debug)]
pub(super) struct Content {
    /// Its descriptor: SQLite's own locks would be dropped with any other that is closed.
    lock: Arc<FileLock>,
    seen: Seen,
    moved: Moved,
    unclear: u32,
}

#[derive(Debug)]
struct Seen {
    size: u64,
    /// Seconds and nanoseconds.
    written: (i64, i64),
    /// Pages by number, from zero on, each as a hash.
    pages: Vec<(u64, u64)>,
}

/// What the file says of itself.
#[derive(Debug, Clone, Copy)]
struct Header {
    page_bytes: u64,
    pages: u64,
}

impl Content {
    /// What is in the file now. `None` where it cannot be looked at beside SQLite: on a network file system.
    pub(super) fn of(lock: &Arc<FileLock>, moved: Moved) -> Option<Self> {
        let seen = Seen::of(lock.main()?)?;
        Some(Self { lock: lock.clone(), seen, moved, unclear: 0 })
    }

    /// SQLite has written: what is there now is known.
    pub(super) fn know(&mut self, moved: Option<Moved>) {
        (self.moved, self.unclear) = (moved.unwrap_or(self.moved), 0);
        let Some(file) = self.lock.main() else { return };
        if file.metadata().is_ok_and(|found| !self.seen.is_of(&found))
            && let Some(now) = Seen::of(file)
        {
            self.seen = now;
        }
    }

    /// Looks at it, and at its log, of which so much has been moved by now, if that is known.
    pub(super) fn look(&mut self, moved: Option<Moved>, log: &Path) -> Inside {
        let Some(file) = self.lock.main() else { return Inside::Known };
        let is_known = file.metadata().is_ok_and(|found| self.seen.is_of(&found));
        if is_known || self.seen.is_explained(file, moved.is_some_and(|moved| moved != self.moved), log) {
            self.know(moved);
            return Inside::Known;
        }
        self.unclear += 1;
        if self.unclear < LOOKS { Inside::Unclear } else { Inside::Strange }
    }
}

impl Seen {
    fn of(file: &File) -> Option<Self> {
        let (found, header) = (file.metadata().ok()?, Header::of(file)?);
        let most = found.len() / header.page_bytes;
        let number = |n| if most <= SAMPLE { n } else { n * (most - 1) / (SAMPLE - 1) };
        let pages = (0..most.min(SAMPLE)).map(number);
        let pages: Option<_> =
            pages.map(|n| Some((n, page_at(file, n * header.page_bytes, header.page_bytes)?))).collect();
        Some(Self { size: found.len(), written: (found.mtime(), found.mtime_nsec()), pages: pages? })
    }

    fn is_of(&self, found: &Metadata) -> bool {
        (self.size, self.written) == (found.len(), (found.mtime(), found.mtime_nsec()))
    }

    /// Whether SQLite may have made of this what is in the file now. A log that `was_moved` may have been begun anew since.
    fn is_explained(&self, file: &File, was_moved: bool, log: &Path) -> bool {
        let Some(header) = Header::of(file) else { return false };
        let is_whole = file.metadata().is_ok_and(|found| found.len() >= header.pages * header.page_bytes);
        if was_moved && is_whole {
            return true;
        }
        let now = |n: u64| page_at(file, n * header.page_bytes, header.page_bytes);
        // What is beyond the end that it tells was cut off.
        let here = self.pages.iter().filter(|(n, _)| *n < header.pages);
        let changed: Vec<_> = here.filter(|(n, known)| now(*n) != Some(*known)).map(|(n, _)| (*n, now(*n))).collect();
        if changed.is_empty() { is_whole } else { are_in_log(&changed, header.page_bytes, log).unwrap_or(false) }
    }
}

impl Header {
    fn of(file: &File) -> Option<Self> {
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).ok()?;
        let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
            // The one that does not fit.
            1 => 65_536,
            bytes => u64::from(bytes),
        };
        let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
        (header.starts_with(MAGIC) && page_bytes >= 512).then_some(Self { page_bytes, pages: u64::from(pages) })
    }
}

/// The hash of a page; `None` where it cannot be read whole.
fn page_at(file: &File, at: u64, page_bytes: u64) -> Option<u64> {
    let mut page = vec![0; usize::try_from(page_bytes).ok()?];
    file.read_exact_at(&mut page, at).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&page);
    Some(hasher.finish())
}

/// Whether each of these pages is in the log, as it is now in the file.
fn are_in_log(changed: &[(u64, Option<u64>)], page_bytes: u64, log: &Path) -> Option<bool> {
    let log = File::open(log).ok()?;
    let frames = log.metadata().ok()?.len().saturating_sub(LOG_HEADER_BYTES) / (FRAME_HEADER_BYTES + page_bytes);
    let mut wanted: HashMap<u64, Option<u64>> = changed.iter().copied().collect();
    for frame in 0..frames {
        let at = LOG_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + page_bytes);
        let mut number = [0; 4];
        log.read_exact_at(&mut number, at).ok()?;
        // Counted from one on.
        let n = u64::from(u32::from_be_bytes(number)).checked_sub(1)?;
        if wanted.get(&n).is_some_and(|now| now.is_some() && page_at(&log, at + FRAME_HEADER_BYTES, page_bytes) == *now)
        {
            wanted.remove(&n);
        }
    }
    Some(wanted.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with a log, and the lock that a server has on it.
    fn opened() -> (tempfile::TempDir, rusqlite::Connection, Content) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let lock = Arc::new(FileLock::take(&path).expect("a lock"));
        let connection = rusqlite::Connection::open(&path).expect("a database");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n); PRAGMA wal_checkpoint(TRUNCATE)")
            .expect("a table");
        let content = Content::of(&lock, moved(&connection)).expect("a local file");
        (folder, connection, content)
    }

    fn moved(connection: &rusqlite::Connection) -> Moved {
        let frames = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(2)).expect("an answer");
        let log = format!("{}-wal", connection.path().expect("a path"));
        Moved::of(frames, Path::new(&log))
    }

    fn looks(folder: &tempfile::TempDir, connection: &rusqlite::Connection, content: &mut Content) -> Inside {
        let log = folder.path().join("db-wal");
        (0..LOOKS).map(|_| content.look(Some(moved(connection)), &log)).last().expect("a look")
    }

    #[test]
    fn what_sqlite_writes_is_known() {
        let (folder, connection, mut content) = opened();
        for _ in 0..3 {
            connection.execute_batch("INSERT INTO t VALUES (randomblob(100000))").expect("a row");
            assert_eq!(looks(&folder, &connection, &mut content), Inside::Known, "a commit is in the log");
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("moved");
            assert_eq!(looks(&folder, &connection, &mut content), Inside::Known, "by somebody else");
        }
        File::options()
            .append(true)
            .open(folder.path().join("db"))
            .and_then(|f| f.set_modified(std::time::UNIX_EPOCH))
            .expect("touched");
        assert_eq!(looks(&folder, &connection, &mut content), Inside::Known, "the same content, written again");
    }

    /// Whoever moves the log was killed, or is not done: pages are moved, and it has not said so.
    #[test]
    fn pages_of_the_log_are_known() {
        let (folder, connection, mut content) = opened();
        connection.execute_batch("INSERT INTO t VALUES (1)").expect("a row");
        assert_eq!(looks(&folder, &connection, &mut content), Inside::Known);
        let log = std::fs::read(folder.path().join("db-wal")).expect("a log");
        let last = log.len() - 4096 - 24;
        let number = u32::from_be_bytes(log[last..last + 4].try_into().expect("a number"));
        let file = File::options().write(true).open(folder.path().join("db")).expect("a file");
        file.write_all_at(&log[last + 24..], u64::from(number - 1) * 4096).expect("written");
        assert_eq!(looks(&folder, &connection, &mut content), Inside::Known);
        file.write_all_at(b"x", u64::from(number - 1) * 4096 + 4000).expect("written");
        assert_eq!(looks(&folder, &connection, &mut content), Inside::Strange, "one byte of one page");
    }

    #[test]
    fn what_others_write_is_strange() {
        let (_folder, other, _) = opened();
        other
            .execute_batch("INSERT INTO t VALUES (randomblob(100000)); PRAGMA wal_checkpoint(TRUNCATE)")
            .expect("a row");
        let another = std::fs::read(other.path().expect("a path")).expect("a database");
        for content_now in [&b""[..], b"no database", &[0; 8192], &another, &another[..4096]] {
            let (folder, connection, mut content) = opened();
            std::fs::write(folder.path().join("db"), content_now).expect("written");
            assert_eq!(looks(&folder, &connection, &mut content), Inside::Strange, "{} bytes", content_now.len());
        }
    }
}
