//! What can go wrong below: few kinds, because callers act on few.

use std::borrow::Cow;
use std::path::PathBuf;

use super::reason::Reason;

/// A statement failed. What the error says of the data holds wherever this type is returned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer now. Whether it has stored the data is unknown: the answer to a COMMIT may be what was
    /// lost. Every write of this store may be repeated, and is stored once.
    #[error("the database does not answer: {0}")]
    Unavailable(#[source] Reason),
    /// The database refuses this very data, and nothing was changed; no repetition helps.
    #[error("the database refuses the data: {0}")]
    Data(#[source] Reason),
    /// Others held the same rows, and nothing was changed. The store repeats such a transaction at once, and gives up with
    /// [`StoreError::Unavailable`] after several tries, so that no caller meets this one.
    #[error("others hold the same rows: {0}")]
    Contended(#[source] Reason),
    /// Somebody's open transaction holds rows that this writes, for longer than a moment, and nothing was changed. Other
    /// rows are written meanwhile.
    #[error("another transaction in the database holds what this writes: {0}")]
    Held(#[source] Reason),
}

impl StoreError {
    /// Why.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Unavailable(reason) | Self::Data(reason) | Self::Contended(reason) | Self::Held(reason) => reason,
        }
    }

    /// The database does not answer, as we see it ourselves.
    pub fn unavailable(reason: impl Into<Reason>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// For those who do not try again.
    pub(in crate::store) fn given_up(self) -> Self {
        match self {
            Self::Contended(reason) => Self::Unavailable(reason),
            other => other,
        }
    }
}

/// A store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no database that we know.
    #[error("{url:?} is not the URL of a database")]
    UnknownUrl {
        /// What was given, without its password.
        url: String,
    },
    /// A path that begins with `~`, which only a shell understands.
    #[error("{url:?}: ~ in the URL of a database is not the home folder")]
    Tilde {
        /// What was given.
        url: String,
    },
    /// The folder or file cannot be written.
    #[error("cannot write the database {}: {reason}", path.display())]
    Unwritable {
        /// The database file.
        path: PathBuf,
        /// What the system says.
        #[source]
        reason: Reason,
    },
    /// There is no such database, or nothing of ours in it, and this command does not make one.
    #[error("no archonctl database at {database}")]
    Missing {
        /// The file, or the URL without its password.
        database: String,
    },
    /// Somebody was killed while it wrote to the file, and whoever only reads cannot put that right.
    #[error("{} was left in the middle of a write by a program that was killed; the next program to write repairs it", path.display())]
    CutShort {
        /// The database file.
        path: PathBuf,
    },
    /// Another `serve` has this SQLite file.
    #[error("another archonctl server (pid {pid}) uses {}; one SQLite file serves one server, PostgreSQL serves many", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// Who holds it, as its lock file says.
        pid: String,
    },
    /// The sessions tables are somebody else's: an original Archon.
    #[error(
        "this database holds the tables of an original Archon; nothing was changed; archonctl cannot take its rows over yet"
    )]
    Foreign,
    /// A SQLite file has tables, and none of them is ours.
    #[error("{} is another program's database: it has a table {table:?}, and none of archonctl's; nothing was changed", path.display())]
    Occupied {
        /// The database file.
        path: PathBuf,
        /// One of its tables.
        table: String,
    },
    /// A newer archonctl made the schema and rules this one out.
    #[error(
        "this database was made by a newer archonctl and needs version {needs} or later; this is {ours}; nothing was changed"
    )]
    TooNew {
        /// The oldest program that may use it.
        needs: String,
        /// Our version.
        ours: &'static str,
    },
    /// The copy that is made before a migration could not be.
    #[error("cannot copy the database to {} before its schema changes: {reason}; nothing was changed", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What is in the way.
        #[source]
        reason: Reason,
    },
    /// A PostgreSQL database that cannot hold every text.
    #[error("the database {database} has the encoding {encoding}, which cannot hold every text; archonctl needs UTF8")]
    Encoding {
        /// The URL without its password.
        database: String,
        /// As PostgreSQL calls it.
        encoding: String,
    },
    /// A migration failed; it was rolled back.
    #[error("cannot prepare the schema: {0}")]
    Migration(#[source] Reason),
    /// The server does not answer.
    #[error("cannot reach the database {database}: {reason}")]
    Unreachable {
        /// The URL without its password.
        database: String,
        /// What the driver says.
        #[source]
        reason: Reason,
    },
    /// The file is not a SQLite database.
    #[error("{} is not a SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(database) if blames_the_data(database.code().as_deref()) => {
                // Not that it was the database which said so.
                return Self::Data(Reason::of(database.message().to_owned(), error));
            }
            _ if code(&error).as_deref() == Some(LOCK_TIMEOUT) => Self::Held,
            _ if is_contention(&error) => Self::Contended,
            _ => Self::Unavailable,
        };
        kind(error.into())
    }
}

/// A lock was not to be had in time.
const LOCK_TIMEOUT: &str = "55P03";

/// Whether PostgreSQL gave a transaction up in favour of others: a deadlock, a serialisation failure, a lock that was not
/// to be had in time, or a statement whose time ran out while it waited for one.
pub(in crate::store) fn is_contention(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| ["40P01", "40001", LOCK_TIMEOUT, "57014"].contains(&&*code))
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|e| e.extended_code.to_string());
        // SQLite has no code of its own for JSON that it cannot read (nested deeper than 1,000, say).
        let bad_json = matches!(&error, rusqlite::Error::SqliteFailure(_, Some(said)) if said.contains("JSON"));
        if bad_json || blames_the_data(code.as_deref()) {
            Self::Data(error.into())
        } else {
            Self::Unavailable(error.into())
        }
    }
}

/// Whether an error code is about the very data, so that no repetition helps. Everything else is kept and tried again: a
/// table that somebody renamed or a right that is missing must not cost a row.
///
/// PostgreSQL's classes: 22 data exception, 23 constraint, 54 a limit exceeded (a key too long for its index). SQLite's
/// numbers, primary or extended: TOOBIG, CONSTRAINT, MISMATCH, RANGE.
fn blames_the_data(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    // PostgreSQL's codes have five characters, SQLite's (extended ones too) at most four digits.
    if code.len() == 5 {
        return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|n| [18, 19, 20, 25].contains(&(n & 0xff)))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::{StoreError, blames_the_data};

    #[test]
    fn an_error_leads_to_what_the_driver_said() {
        let refused = rusqlite::Connection::open_in_memory()
            .and_then(|db| db.execute_batch("CREATE TABLE t (a NOT NULL); INSERT INTO t VALUES (NULL)"));
        let error = StoreError::from(refused.expect_err("a constraint"));
        assert!(matches!(&error, StoreError::Data(reason) if reason.as_str().contains("t.a")), "{error}");
        let driver = error.source().and_then(Error::source).expect("a source");
        assert!(driver.is::<rusqlite::Error>(), "{driver:?}");
        assert!(StoreError::unavailable("gone").source().and_then(Error::source).is_none());
    }

    #[test]
    fn codes_that_are_about_the_data_and_codes_that_are_not() {
        for code in ["19", "787", "1555", "1811", "20", "22021", "23503", "22P05", "54000", "54001"] {
            assert!(blames_the_data(Some(code)), "{code}");
        }
        for code in ["1", "5", "517", "8", "13", "08006", "57P01", "40P01", "53100", "25006", "55P03", "42P01", "28P01"]
        {
            assert!(!blames_the_data(Some(code)), "{code}");
        }
    }
}
