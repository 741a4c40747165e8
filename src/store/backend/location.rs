//! Where a database is: read from a URL, exhaustively, so that a slip never becomes an empty SQLite file.

use std::path::{Path, PathBuf};

use super::error::OpenError;

/// A database that we can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    SqliteFile(PathBuf),
    /// A SQLite database that ends with the process.
    SqliteMemory,
    /// A PostgreSQL URL, password and all.
    Postgres(String),
}

impl Location {
    /// Reads `sqlite://PATH`, `sqlite:PATH`, `sqlite::memory:`, `postgres://…` and `postgresql://…`.
    ///
    /// # Errors
    /// [`OpenError::Tilde`] for a path that begins with `~`, [`OpenError::UnknownUrl`] for anything else; a scheme that we do
    /// not know is never taken for SQLite.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let unknown = || OpenError::UnknownUrl { url: redact(url) };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let rest = url.strip_prefix("sqlite:").ok_or_else(unknown)?;
        if rest == ":memory:" || rest == "//:memory:" {
            return Ok(Self::SqliteMemory);
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.contains('?') || path.ends_with('/') {
            return Err(unknown());
        }
        // A folder of that name is never meant, and whose home it would be is for a shell to say.
        if path.starts_with('~') {
            return Err(OpenError::Tilde { url: url.to_owned() });
        }
        Ok(Self::SqliteFile(PathBuf::from(path)))
    }

    /// For people: the path, or the URL without its password.
    pub fn shown(&self) -> String {
        match self {
            Self::SqliteFile(path) => path.display().to_string(),
            Self::SqliteMemory => "memory".to_owned(),
            Self::Postgres(url) => redact(url),
        }
    }

    /// `sqlite` or `postgresql`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SqliteFile(_) | Self::SqliteMemory => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::SqliteFile(path.to_owned())
    }
}

/// A URL without what stands between its first colon after `//` and its last `@`, and without its query, where a
/// password may stand too.
fn redact(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((login, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = login.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_meant_and_refuses_the_rest() {
        assert_eq!(Location::parse("sqlite:///tmp/a.db").ok(), Some(Location::SqliteFile("/tmp/a.db".into())));
        assert_eq!(Location::parse("sqlite://a.db").ok(), Some(Location::SqliteFile("a.db".into())));
        assert_eq!(Location::parse("sqlite:a.db").ok(), Some(Location::SqliteFile("a.db".into())));
        assert_eq!(Location::parse("sqlite::memory:").ok(), Some(Location::SqliteMemory));
        assert!(matches!(Location::parse("postgres://u:p@h/d"), Ok(Location::Postgres(_))));
        for bad in ["", "mysql://h/d", "/tmp/a.db", "postgres:/x", "sqlite:", "sqlite:///tmp/", "sqlite://a?mode=ro"] {
            assert!(Location::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_home_is_for_a_shell_to_say() {
        for url in ["sqlite://~/x.db", "sqlite:~/x.db", "sqlite://~me/x.db", "sqlite://~"] {
            assert!(matches!(Location::parse(url), Err(OpenError::Tilde { .. })), "{url}");
        }
        assert_eq!(Location::parse("sqlite://./~x.db").ok(), Some(Location::SqliteFile("./~x.db".into())));
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(Location::Postgres("postgres://u:s@cret@h:5/d?password=x".into()).shown(), "postgres://u@h:5/d");
        assert!(!OpenError::UnknownUrl { url: redact("mysql://u:secret@h/d") }.to_string().contains("secret"));
    }
}
