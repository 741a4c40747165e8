//! What can go wrong below: few kinds, because callers act on few.

use std::path::PathBuf;

/// A statement failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot answer now: it may have stored the data or not, and may answer later.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database refuses this very data; no repetition helps.
    #[error("the database refuses the data: {0}")]
    Data(String),
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
    /// The folder or file cannot be written.
    #[error("cannot write the database {}: {reason}", path.display())]
    Unwritable {
        /// The database file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// There is no such file, and this command does not make one.
    #[error("no database at {}", path.display())]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// Another `serve` has this SQLite file.
    #[error("another archonctl server (pid {pid}) uses {}, and a SQLite file is for one server", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// Who holds it, as its lock file says.
        pid: String,
    },
    /// The sessions tables are somebody else's: an original Archon.
    #[error("this database holds the tables of an original Archon; nothing was changed")]
    Foreign,
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
    /// A migration failed; it was rolled back.
    #[error("cannot prepare the schema: {0}")]
    Migration(String),
    /// The server does not answer.
    #[error("cannot reach the database {database}: {reason}")]
    Unreachable {
        /// The URL without its password.
        database: String,
        /// What the driver says.
        reason: String,
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
        match &error {
            sqlx::Error::Database(database) if !says_unavailable(database.code().as_deref()) => {
                Self::Data(database.message().to_owned())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::ConstraintViolation | Code::TooBig | Code::TypeMismatch | Code::ParameterOutOfRange) => {
                Self::Data(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Error codes that say nothing about the data: SQLite's numbers (primary or extended) and PostgreSQL's classes
/// 08 connection, 25006 read-only, 40 retry, 53 resources, 55 not now, 57 operator, 58 system.
fn says_unavailable(code: Option<&str>) -> bool {
    let Some(code) = code else { return true };
    // PostgreSQL's codes have five characters, SQLite's (extended ones too) at most four digits.
    if code.len() == 5 {
        return code == "25006" || ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    // SQLite: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
    code.parse::<u32>().is_ok_and(|n| [5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26].contains(&(n & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::says_unavailable;

    #[test]
    fn codes_that_say_nothing_about_the_data() {
        for code in ["5", "517", "8", "13", "08006", "57P01", "40P01", "53100", "25006", "55P03"] {
            assert!(says_unavailable(Some(code)), "{code}");
        }
        for code in ["19", "1555", "20", "22021", "23503", "22P05", "42P01"] {
            assert!(!says_unavailable(Some(code)), "{code}");
        }
    }
}
