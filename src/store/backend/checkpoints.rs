//! SQLite's write-ahead log is moved into the file on a thread of its own, so that no commit has to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;

use super::error::StoreError;
use super::lock::FileLock;
use super::pools::Gate;
use super::sqlite::SqliteTarget;

/// Below this size moving the log is not worth its fsync.
const SMALL_BYTES: u64 = 4 << 20;
/// At this size the log is begun anew, for which writers wait a moment.
const FULL_BYTES: u64 = 16 << 20;
/// At this size a reader that does not end is worth a line.
const LARGE_BYTES: u64 = 64 << 20;
/// SQLite's default, which our databases have.
const PAGE_BYTES: u64 = 4096;
/// How often the size is looked at, and how long writers may be kept waiting for a reader to finish.
const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(20);
/// How long they may when the log was taken away.
const LONG_PATIENCE: Duration = Duration::from_secs(2);
/// How often a small log is moved.
const SMALL_EVERY: Duration = Duration::from_secs(30);
/// When readers were in the way, they are left alone for this long.
const PAUSE: Duration = Duration::from_secs(1);
/// The number of pages that take their time to be moved: writers go on meanwhile.
const MANY_PAGES: i64 = 4096;

#[derive(Debug)]
pub(in crate::store) struct Checkpoints {
    connection: Connection,
    log: PathBuf,
    gate: Gate,
    /// How many pages of the log were in the file after the last look.
    moved: i64,
    /// A reader has kept a large log from being emptied, and that was told.
    is_held: bool,
    /// When the log was last written before it was last moved, and when that was.
    small: Option<(SystemTime, Instant)>,
    /// For its fsync, and held for as long as the connection is: a system drops SQLite's own locks on a file when any
    /// descriptor of it is closed.
    lock: Arc<FileLock>,
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
    pub(in crate::store) fn new(
        target: &SqliteTarget,
        gate: Gate,
        log: PathBuf,
        lock: Arc<FileLock>,
    ) -> Result<Self, StoreError> {
        let connection = target.connect()?;
        connection.busy_timeout(PATIENCE)?;
        Ok(Self { connection, log, gate, moved: 0, is_held: false, small: None, lock })
    }

    pub(in crate::store) fn size(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |m| m.len())
    }

    /// Moves all of the log into the file, whether it has a name any more or not. The caller has its turn at the gate, or
    /// nobody writes. `false` when a reader was in the way.
    pub(in crate::store) fn empty(&mut self) -> Result<bool, StoreError> {
        self.connection.busy_timeout(LONG_PATIENCE)?;
        let emptied = self.checkpoint("TRUNCATE");
        self.connection.busy_timeout(PATIENCE)?;
        Ok(!emptied?.in_the_way)
    }

    /// One look at the log; returns how long to wait until the next.
    pub(in crate::store) fn run(&mut self, size: u64) -> Duration {
        if size < SMALL_BYTES {
            self.log_state(false, size);
            return match self.move_small(size) {
                Ok(()) => EVERY,
                Err(error) => {
                    tracing::debug!(%error, "the write-ahead log could not be moved now");
                    PAUSE
                }
            };
        }
        let log = self.move_and_empty(size).unwrap_or_else(|error| {
            tracing::debug!(%error, "the write-ahead log could not be moved now");
            Log::InUse
        });
        match log {
            Log::Emptied => self.log_state(false, size),
            Log::Held { large: true } => self.log_state(true, size),
            _ => {}
        }
        if matches!(log, Log::Emptied | Log::Moved) { EVERY } else { PAUSE }
    }

    /// A log that never grows large is moved all the same, so that the file alone has nearly everything: whoever copies it
    /// copies what was there a minute ago.
    fn move_small(&mut self, size: u64) -> Result<(), StoreError> {
        let Ok(written) = std::fs::metadata(&self.log).and_then(|log| log.modified()) else { return Ok(()) };
        let is_due = self.small.is_none_or(|(before, at)| before != written && at.elapsed() >= SMALL_EVERY);
        if size > 0 && is_due {
            let now = self.checkpoint("PASSIVE")?;
            if now.moved < now.pages {
                return Err(StoreError::unavailable("a reader is in the way"));
            }
            self.small = Some((written, Instant::now()));
        }
        Ok(())
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
        // Never while a reader keeps much from being moved: if it ended just then, writers would wait for all of that.
        if !over && (now.log_bytes() < FULL_BYTES || now.pages - now.moved > MANY_PAGES) {
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
        let (mut before, mut last) = (0, i64::MAX);
        loop {
            let now = self.checkpoint("PASSIVE")?;
            if now.log_bytes() > FULL_BYTES {
                self.lock.sync_data().map_err(StoreError::unavailable)?;
            }
            let step = now.moved - before;
            // What writers have added meanwhile is moved as well, unless they are as fast as we: then they have to wait.
            if now.moved < now.pages || step < MANY_PAGES || step >= last {
                return Ok(now);
            }
            (before, last) = (now.moved, step);
        }
    }

    fn checkpoint(&self, mode: &str) -> Result<Progress, StoreError> {
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        Ok(self.connection.query_row(&pragma, [], |row| {
            Ok(Progress { in_the_way: row.get(0)?, pages: row.get(1)?, moved: row.get(2)? })
        })?)
    }

    /// One line when the log begins to grow beyond measure, and one when that is over.
    fn log_state(&mut self, is_held: bool, size: u64) {
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

#[cfg(test)]
mod tests;
