//! Lists as files: what is on the screen, all of its rows and columns.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::message::Export;
use super::state::State;
use super::table::{Cell, Listing};
use super::view::ListId;
use super::view_model::ViewModel;
use crate::model::harmless::{cell, json as escaped};

/// The list that is seen, as a file.
pub(super) fn current(state: &State, seen: &ViewModel, as_json: bool, path: Option<PathBuf>) -> Option<Export> {
    let listing = seen.listing()?;
    let name = match state.list_id()? {
        ListId::Tab(tab) => tab.title().to_lowercase(),
        ListId::Session => "session".to_owned(),
    };
    let stamp: String = state.now.to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let (extension, content) = if as_json { ("json", document(listing, &name)) } else { ("csv", table(listing)) };
    Some(Export { path, name: format!("archonctl-{name}-{stamp}"), extension, content })
}

/// One document: `{"version": 1, "NAME": [{"id": …, COLUMN: …}]}`; figures are figures (times in seconds).
fn document(listing: &Listing, name: &str) -> String {
    let rows = listing.rows.iter().map(|row| {
        let mut object = Map::from_iter([("key".to_owned(), json!(row.key))]);
        for (column, cell) in listing.columns.iter().zip(&row.cells) {
            object.insert(column.key.to_owned(), value(cell));
        }
        for (key, text) in &row.hidden {
            object.insert((*key).to_owned(), json!(text));
        }
        Value::Object(object)
    });
    let rows: Vec<_> = rows.collect();
    let document = format!("{:#}\n", json!({ "version": 1, name: rows }));
    escaped(&document).into_owned()
}

fn value(cell: &Cell) -> Value {
    match cell.number {
        Some(number) => json!(number),
        None if cell.text.is_empty() => Value::Null,
        None => json!(cell.text),
    }
}

fn table(listing: &Listing) -> String {
    let mut lines = vec![
        std::iter::once("key").chain(listing.columns.iter().map(|column| column.key)).collect::<Vec<_>>().join(","),
    ];
    for row in &listing.rows {
        let cells = row.cells.iter().map(|written| match written.number {
            Some(number) => number.to_string(),
            None => quoted(&written.text),
        });
        lines.push(std::iter::once(quoted(&row.key)).chain(cells).collect::<Vec<_>>().join(","));
    }
    lines.join("\n") + "\n"
}

/// As RFC 4180 has it. What a spreadsheet would take for a formula is a text.
fn quoted(text: &str) -> String {
    let text = cell(text);
    if text.contains([',', '"', '\n', '\r', '\t']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::table::Row;
    use super::*;
    use crate::queries::columns::{self, Head};

    #[test]
    fn figures_are_figures_and_texts_are_quoted() {
        let idle = columns::Cell::span(std::time::Duration::from_secs(90));
        let cells = [columns::Cell::text("a, \"b\""), idle].map(Cell::written).to_vec();
        let rows = vec![Row { key: "=1".into(), cells, hidden: vec![] }];
        let columns = vec![Head::text("client", "CLIENT", 4, 0), Head::figure("idle", "IDLE", 0)];
        let listing = Listing { columns, rows, empty: String::new() };
        assert_eq!(table(&listing), "key,client,idle\n'=1,\"a, \"\"b\"\"\",90\n");
        let document: Value = serde_json::from_str(&document(&listing, "sessions")).expect("JSON");
        assert_eq!(document["sessions"][0], json!({"key": "=1", "client": "a, \"b\"", "idle": 90.0}));
    }
}
