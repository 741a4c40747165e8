//! Statements over many rows at once, one text for both databases: the rows come as one JSON array in `$1`.
//!
//! `{rows}` (or `{joined rows}`, where they meet a table) becomes a table `j` with the listed columns in the types of the
//! target table. On PostgreSQL that is `jsonb_populate_recordset` over the table's own row type; on SQLite, `json_each`
//! with one extraction a column.

use std::sync::OnceLock;

use serde::Serialize;

use super::dialect::Dialect;

/// The rows as a JSON array; `None` when there are none. Rows of texts and numbers always serialise.
pub(in crate::store) fn json<T: Serialize>(rows: &[T]) -> Option<String> {
    if rows.is_empty() { None } else { serde_json::to_string(rows).ok() }
}

/// A statement over the rows of a JSON array.
#[derive(Debug)]
pub(in crate::store) struct RowStatement {
    /// The table whose row type the array's objects have.
    table: &'static str,
    /// The columns that are read from the objects.
    columns: &'static [&'static str],
    text: &'static str,
    /// What stands for words of the text.
    fragments: &'static [(&'static str, &'static str)],
    built: [OnceLock<String>; 2],
}

/// The text of a statement that adds its rows, but for those that are there already.
const INSERT_ONCE: &str =
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} WHERE true ON CONFLICT DO NOTHING";

impl RowStatement {
    /// A text with `{rows}` or `{joined rows}`, `{columns}`, `{table}`, `{finished}`: when request `r` was, and `{+}`: a
    /// sign with which SQLite does not begin with the index of that column, and read the array for each row.
    pub(in crate::store) const fn new(
        table: &'static str,
        columns: &'static [&'static str],
        text: &'static str,
    ) -> Self {
        Self::of_fragments(table, columns, text, &[])
    }

    /// The same with words of its own in the text, which stand for fragments.
    pub(in crate::store) const fn of_fragments(
        table: &'static str,
        columns: &'static [&'static str],
        text: &'static str,
        fragments: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { table, columns, text, fragments, built: [const { OnceLock::new() }; 2] }
    }

    /// A statement that only adds rows, each once.
    pub(in crate::store) const fn insert(table: &'static str, columns: &'static [&'static str]) -> Self {
        Self::new(table, columns, INSERT_ONCE)
    }

    /// Whether it is one.
    pub(in crate::store) fn is_insert(&self) -> bool {
        self.text == INSERT_ONCE
    }

    /// Its text in that dialect, which is built once.
    pub(in crate::store) fn sql(&self, dialect: Dialect) -> &str {
        self.built[dialect as usize].get_or_init(|| self.build(dialect))
    }

    fn build(&self, dialect: Dialect) -> String {
        let (rows, joined) = match dialect {
            Dialect::Postgres => {
                let rows = format!("jsonb_populate_recordset(NULL::{}, $1::jsonb)", self.table);
                // PostgreSQL takes any such function for a hundred rows, and would read a whole table to join them; the
                // limit tells it how many there are.
                let joined = format!("(SELECT * FROM {rows} LIMIT jsonb_array_length($1::jsonb)) AS j");
                (format!("{rows} AS j"), joined)
            }
            Dialect::Sqlite => {
                let columns: Vec<_> = self.columns.iter().map(|c| format!("value->>'{c}' AS {c}")).collect();
                let rows = format!("(SELECT {} FROM json_each($1)) AS j", columns.join(", "));
                (rows.clone(), rows)
            }
        };
        let finished = match dialect {
            Dialect::Postgres => "r.timestamp + r.duration_us * INTERVAL '1 microsecond'",
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', r.timestamp, (r.duration_us / 1000000.0) || ' seconds')",
        };
        let text = self.fragments.iter().fold(self.text.to_owned(), |text, (word, sql)| text.replace(word, sql));
        text.replace("{rows}", &rows)
            .replace("{joined rows}", &joined)
            .replace("{columns}", &self.columns.join(", "))
            .replace("{+}", if dialect == Dialect::Sqlite { "+" } else { "" })
            .replace("{table}", self.table)
            .replace("{finished}", finished)
    }
}

#[cfg(test)]
impl RowStatement {
    /// A hundred thousand sessions times a thousand rows would take minutes.
    pub(in crate::store) fn assert_begins_with_its_rows(&self) {
        let connection = rusqlite::Connection::open_in_memory().expect("a database");
        connection.execute_batch(include_str!("../migrations/sqlite/0001_sessions.sql")).expect("a schema");
        connection.execute_batch(include_str!("../migrations/sqlite/0002_two_clocks.sql")).expect("a schema");
        let sql = format!("EXPLAIN QUERY PLAN {}", self.sql(Dialect::Sqlite));
        let first: String = connection.query_row(&sql, ["[]"], |row| row.get("detail")).expect("a plan");
        assert!(first.starts_with("SCAN json_each"), "{first}\n{sql}");
    }
}
