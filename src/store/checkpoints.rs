//! SQLite's write-ahead log is moved into the file on a thread of its own, so that no commit has to.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;
use super::backend::Gate;
use super::sqlite::SqliteTarget;
use super::writer::Shared;

/// Below this size moving the log is not worth its fsync.
const SMALL_BYTES: u64 = 4 << 20;
/// With so much in it the log is begun anew, for which writers wait a moment.
const FULL_BYTES: u64 = 16 << 20;
/// With so much in it a reader that does not end is worth a line.
const LARGE_BYTES: u64 = 64 << 20;
/// SQLite's default, which our databases have.
const PAGE_BYTES: u64 = 4096;
/// How often the size is looked at, and how long writers may be kept waiting for a reader to finish.
const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(20);
/// When readers were in the way, they are left alone for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// When so many pages were moved, writers have added so many meanwhile that these are moved first, too.
const MANY_PAGES: i64 = 4096;
/// But no more often than this: a disk that cannot keep up never gets to the end.
const ROUNDS: usize = 8;

/// Starts the thread. It ends when nobody writes any more.
pub(super) fn spawn(target: &SqliteTarget, gate: Gate, alive: Weak<Shared>) -> Result<(), StoreError> {
    let connection = target.connect()?;
    connection.busy_timeout(PATIENCE)?;
    let unusable = |e: std::io::Error| StoreError::Unavailable(e.to_string());
    let file = ManuallyDrop::new(File::open(&target.path).map_err(unusable)?);
    let mut log = target.path.clone().into_os_string();
    log.push("-wal");
    let mut checkpoints = Checkpoints { connection, file, log: log.into(), gate, moved: 0, is_held: false };
    std::thread::Builder::new()
        .name("archonctl-checkpoint".into())
        .spawn(move || {
            while let Some(shared) = alive.upgrade() {
                let size = checkpoints.size();
                shared.note_log(size);
                drop(shared);
                std::thread::sleep(checkpoints.run(size));
            }
        })
        .map_err(unusable)?;
    Ok(())
}

struct Checkpoints {
    connection: Connection,
    /// For its fsync alone. Never closed: a system drops all locks of a process on a file with any descriptor of it, and
    /// SQLite's own are among them.
    file: ManuallyDrop<File>,
    log: PathBuf,
    gate: Gate,
    /// How many pages of the log were in the file after the last look.
    moved: i64,
    /// A reader has kept a large log from being emptied, and that was told.
    is_held: bool,
}

/// What SQLite says of a checkpoint.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Somebody was in the way of the emptying.
    in_the_way: bool,
    /// Pages in the log when it began.
    pages: i64,
    /// How many of the log are in the file now.
    moved: i64,
}

impl Progress {
    fn log_bytes(self) -> u64 {
        u64::try_from(self.pages).unwrap_or(0) * PAGE_BYTES
    }
}

/// What became of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// It takes no space any more.
    Emptied,
    /// All that no reader needs is in the file.
    Moved,
    /// Readers kept it from being begun anew.
    InUse,
    /// One that does not end did.
    Held { large: bool },
}

impl Checkpoints {
    fn size(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |m| m.len())
    }

    /// One look at the log; returns how long to wait until the next.
    fn run(&mut self, size: u64) -> Duration {
        if size < SMALL_BYTES {
            self.tell(false, size);
            return EVERY;
        }
        let log = self.move_and_empty(size).unwrap_or_else(|error| {
            tracing::debug!(%error, "the write-ahead log could not be moved now");
            Log::InUse
        });
        match log {
            Log::Emptied => self.tell(false, size),
            Log::Held { large: true } => self.tell(true, size),
            _ => {}
        }
        if matches!(log, Log::Emptied | Log::Moved) { EVERY } else { PAUSE }
    }

    /// Moves the log into the file while writers go on. When much is in it all the same, they wait until it can be begun
    /// anew. Its space on the disk is kept for them, which is cheaper than to ask for it again; what a busy hour or a long
    /// reader has left is given back.
    fn move_and_empty(&mut self, size: u64) -> Result<Log, StoreError> {
        let now = self.move_beside_writers()?;
        let still = now.moved == std::mem::replace(&mut self.moved, now.moved);
        let all = now.moved == now.pages;
        if still && !all {
            // A reader that has not gone on since the last look will not within our patience either.
            return Ok(Log::Held { large: now.log_bytes() > LARGE_BYTES });
        }
        let over = all && (still || now.log_bytes() < SMALL_BYTES);
        if !over && now.log_bytes() < FULL_BYTES {
            return Ok(Log::Moved);
        }
        let shrink = over || size > 2 * LARGE_BYTES;
        let _turn = self.gate.blocking_lock();
        let emptied = self.checkpoint(if shrink { "TRUNCATE" } else { "RESTART" })?;
        self.moved = emptied.moved;
        Ok(match emptied.in_the_way {
            true => Log::InUse,
            false if shrink => Log::Emptied,
            false => Log::Moved,
        })
    }

    /// After a long reader this is most of the work, and of the wait for the disk. SQLite itself would wait for the disk
    /// only when it empties the log, with all writers behind it.
    fn move_beside_writers(&self) -> Result<Progress, StoreError> {
        let mut before = 0;
        for _ in 1..ROUNDS {
            let now = self.checkpoint("PASSIVE")?;
            if now.log_bytes() > FULL_BYTES {
                self.file.sync_data().map_err(|e| StoreError::Unavailable(e.to_string()))?;
            }
            if now.moved < now.pages || now.moved - before < MANY_PAGES {
                return Ok(now);
            }
            before = now.moved;
        }
        self.checkpoint("PASSIVE")
    }

    fn checkpoint(&self, mode: &str) -> Result<Progress, StoreError> {
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        Ok(self.connection.query_row(&pragma, [], |row| {
            Ok(Progress { in_the_way: row.get(0)?, pages: row.get(1)?, moved: row.get(2)? })
        })?)
    }

    /// One line when the log begins to grow beyond measure, and one when that is over.
    fn tell(&mut self, is_held: bool, size: u64) {
        if is_held == std::mem::replace(&mut self.is_held, is_held) {
            return;
        }
        let megabytes = size >> 20;
        if is_held {
            tracing::warn!(megabytes, "a reader of the database does not end: its write-ahead log grows until it does");
        } else {
            tracing::info!("the write-ahead log is small again");
        }
    }
}
