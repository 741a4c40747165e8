//! A list of things, as a table, a JSON document, JSON lines or CSV.

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Screen, VERSION, View, Widths, table};
use crate::model::harmless;
use crate::model::timestamp::Timestamp;
use crate::queries::columns::{Cell, Column, Head, Listed};

/// A list.
pub(in crate::cli) struct List<T: Listed> {
    /// The things, in the order in which they are shown.
    pub(in crate::cli) rows: Vec<T>,
    /// What their cells need besides: the moment, and what follows from it.
    pub(in crate::cli) context: T::Context,
    /// Members of the JSON document before the list.
    pub(in crate::cli) head: Vec<(&'static str, Value)>,
    /// The columns of the table.
    pub(in crate::cli) columns: Vec<Column<T>>,
    /// The sum of all, as the last line of the table.
    pub(in crate::cli) total: Option<(T, T::Context)>,
    /// What people should know besides; for an empty list, what may be done about it.
    pub(in crate::cli) note: Option<String>,
}

impl<T: Listed> List<T> {
    /// A list of things as they were at that moment.
    pub(in crate::cli) fn new(rows: Vec<T>, now: Timestamp) -> Self {
        Self::of(rows, now.into())
    }

    /// A list of things with what their cells need.
    pub(in crate::cli) fn of(rows: Vec<T>, context: T::Context) -> Self {
        Self { rows, context, head: Vec::new(), columns: T::TABLE.to_vec(), total: None, note: None }
    }

    /// With another member in the JSON document.
    pub(in crate::cli) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.head.push((name, value.into()));
        self
    }

    /// With a note for people that there are more, and how to see them.
    pub(in crate::cli) fn noting_more(self, more: bool) -> Self {
        let count = self.rows.len();
        if more { self.noting(format!("The first {count} are shown; --limit 0 shows all.")) } else { self }
    }

    /// With a note for people.
    pub(in crate::cli) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// With a note for people, if it is empty.
    pub(in crate::cli) fn noting_if_empty(self, note: impl Into<String>) -> Self {
        if self.rows.is_empty() { self.noting(note) } else { self }
    }

    /// The table under what was printed before; see [`table`].
    pub(in crate::cli) fn continued(&self, screen: &Screen, widths: &mut Widths) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let rows = self.rows.iter().map(|row| (row, &self.context));
        let rows = rows.chain(self.total.iter().map(|(total, context)| (total, context)));
        let rows: Vec<_> = rows.map(|(row, context)| self.cells(row, context)).collect();
        let heads: Vec<Head> = self.columns.iter().map(|column| column.head).collect();
        table(&heads, &rows, screen, widths)
    }

    fn cells(&self, row: &T, context: &T::Context) -> Vec<Cell> {
        self.columns.iter().map(|column| (column.cell)(row, context)).collect()
    }
}

impl<T: Listed + Serialize> View for List<T> {
    fn text(&self, screen: &Screen) -> String {
        self.continued(screen, &mut Widths::default())
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }

    fn document(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn lines(&self) -> serde_json::Result<Vec<String>> {
        self.rows.iter().map(serde_json::to_string).collect()
    }

    fn csv(&self, header: bool) -> io::Result<String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        if header {
            csv.write_record(T::members())?;
        }
        for row in &self.rows {
            let object = serde_json::to_value(row)?;
            csv.write_record(T::members().iter().map(|member| csv_cell(&object[member])))?;
        }
        let bytes = csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

/// Texts such that a spreadsheet runs none, numbers as they are, nothing for null, what is nested as JSON.
pub(in crate::cli) fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless::cell(text),
        number @ Value::Number(_) => number.to_string(),
        other => harmless::cell(&other.to_string()),
    }
}

impl<T: Listed + Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("version", &VERSION)?;
        for (name, value) in &self.head {
            document.serialize_entry(name, value)?;
        }
        if let Some((total, _)) = &self.total {
            document.serialize_entry("total", total)?;
        }
        document.serialize_entry(T::LIST, &self.rows)?;
        document.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        name: &'static str,
        calls: i64,
        user: Option<&'static str>,
        tags: Vec<&'static str>,
    }

    impl Listed for Thing {
        type Context = Timestamp;

        const LIST: &'static str = "things";
        const TABLE: &'static [Column<Self>] = &[
            Column::text("name", "NAME", 4, 0, |thing, _| Cell::text(thing.name)),
            Column::text("user", "USER", 4, 1, |thing, _| Cell::maybe(thing.user)),
        ];

        fn members() -> &'static [&'static str] {
            &["name", "calls", "user", "tags"]
        }
    }

    fn things(rows: Vec<Thing>) -> List<Thing> {
        List::new(rows, Timestamp::default()).with("since", "x").noting_if_empty("No things yet.")
    }

    fn two() -> List<Thing> {
        things(vec![
            Thing { name: "a \"b\", c", calls: 2, user: None, tags: vec!["x"] },
            Thing { name: "=1\nd", calls: 3, user: Some("alice"), tags: vec![] },
        ])
    }

    #[test]
    fn one_document_with_its_version_first() {
        let expected = r#"{"version":1,"since":"x","things":[{"name":"a \"b\", c","calls":2,"user":null,"tags":["x"]},{"name":"=1\nd","calls":3,"user":"alice","tags":[]}]}"#;
        assert_eq!(two().document().expect("JSON"), expected);
        assert_eq!(two().lines().expect("JSON").len(), 2);
        assert_eq!(things(vec![]).document().expect("JSON"), r#"{"version":1,"since":"x","things":[]}"#);
    }

    #[test]
    fn csv_is_quoted_where_it_must_be_and_has_its_header_even_when_empty() {
        let expected = "name,calls,user,tags\n\"a \"\"b\"\", c\",2,,\"[\"\"x\"\"]\"\n\"'=1\nd\",3,alice,[]\n";
        assert_eq!(two().csv(true).expect("CSV"), expected);
        assert_eq!(things(vec![]).csv(true).expect("CSV"), "name,calls,user,tags\n");
    }

    #[test]
    fn an_empty_list_is_no_table_but_a_note() {
        let screen = Screen { terminal: false, width: None, height: 24, colour: false };
        assert_eq!(things(vec![]).text(&screen), "");
        assert_eq!(things(vec![]).note().as_deref(), Some("No things yet."));
        assert_eq!(two().note(), None);
        assert_eq!(two().text(&screen), "NAME      USER\na \"b\", c  -\n=1 d      alice");
    }
}
