//! Where the SQL of the two databases differs.

/// Which SQL a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// PostgreSQL alone has locks of rows.
    pub(in crate::store) const fn locks_rows(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// At the end of a SELECT of rows that are to be changed: PostgreSQL's servers share the work instead of waiting for each
    /// other, and a row that somebody writes just now is in use; SQLite has one writer anyway.
    pub(in crate::store) const fn skip_locked(self) -> &'static str {
        match self {
            // Not FOR UPDATE: the rows of requests refer to these rows, and would wait.
            Self::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
            Self::Sqlite => "",
        }
    }
}
