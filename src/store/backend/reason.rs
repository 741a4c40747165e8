//! Why something below failed, in words and with its cause.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why something failed: in words, and with what the driver or the system said, where it was their doing.
#[derive(Debug, Clone)]
pub struct Reason(Arc<Cause>);

/// Behind one pointer, because every write carries room for an error.
#[derive(Debug)]
struct Cause {
    words: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Reason {
    /// What a driver or the system said, in other words than its own.
    pub(in crate::store) fn of(words: String, source: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(Cause { words, source: Some(Box::new(source)) }))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0.words
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words)
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<&str> for Reason {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<String> for Reason {
    fn from(words: String) -> Self {
        Self(Arc::new(Cause { words, source: None }))
    }
}

impl From<sqlx::Error> for Reason {
    fn from(error: sqlx::Error) -> Self {
        Self::of(error.to_string(), error)
    }
}

impl From<rusqlite::Error> for Reason {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(error.to_string(), error)
    }
}

impl From<sqlx::migrate::MigrateError> for Reason {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::of(error.to_string(), error)
    }
}

impl From<std::io::Error> for Reason {
    fn from(error: std::io::Error) -> Self {
        Self::of(error.to_string(), error)
    }
}
