//! Where the SQL of the two databases differs, and texts that are built once.

use std::sync::OnceLock;

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

/// A text for each dialect, built when it is first needed.
#[derive(Debug)]
pub(in crate::store) struct Text {
    build: fn(Dialect) -> String,
    built: [OnceLock<String>; 2],
}

impl Text {
    pub(in crate::store) const fn new(build: fn(Dialect) -> String) -> Self {
        Self { build, built: [const { OnceLock::new() }; 2] }
    }

    pub(in crate::store) fn sql(&self, dialect: Dialect) -> &str {
        self.built[dialect as usize].get_or_init(|| (self.build)(dialect))
    }
}

/// The pattern of "contains this text", for LIKE with the escape `!`: what a backslash means in a literal is a setting.
pub(in crate::store) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::containing;

    #[test]
    fn what_like_would_read_as_a_sign_is_a_letter() {
        assert_eq!(containing("a_b%c!"), "%a!_b!%c!!%");
    }
}
