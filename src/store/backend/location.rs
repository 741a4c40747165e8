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
/// password may stand too. Of a text that is no URL at all nobody can say where its password is.
fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return beginning(url) };
    // First: a password may hold any character, also those that begin a query.
    let shown = match rest.rsplit_once('@') {
        Some((login, host)) => format!("{}@{host}", login.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    format!("{scheme}://{}", shown.split(['?', '#']).next().unwrap_or_default())
}

/// The text; only its first letters where it may hold a password: `postgres//…`, `host=… password=…`.
fn beginning(text: &str) -> String {
    let may_be_secret = text.contains(['@', '=', '?', '#']) || text.matches(':').count() > 1;
    if !may_be_secret {
        return text.to_owned();
    }
    text.chars().take_while(char::is_ascii_alphabetic).chain(['…']).collect()
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
        for (url, shown) in [
            ("postgres://u:s@cret@h:5/d?password=secret", "postgres://u@h:5/d"),
            ("postgres://u:s?cret@h/d", "postgres://u@h/d"),
            ("postgres://u:s/cr#et@h/d", "postgres://u@h/d"),
            ("postgres://h/d?user=u&password=secr@t", "postgres://h/d"),
        ] {
            assert_eq!(Location::Postgres(url.into()).shown(), shown);
        }
        for url in [
            "mysql://u:secret@h/d",
            "postgres//u:secret@h/d",
            "postgres:u:secret@h/d",
            "postgres:/u:secret@h/d",
            "postgres:u:secret",
            "u:secret@h/d",
            "host=h user=u password=secret",
            "postgresql:secret?x",
            "sqlite:a?key=secret",
            "sqlite://u:secret@h/",
        ] {
            let error = Location::parse(url).expect_err(url).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let error = Location::parse("/tmp/a.db").expect_err("no URL");
        assert_eq!(error.to_string(), "\"/tmp/a.db\" is not the URL of a database");
    }
}
