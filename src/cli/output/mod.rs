//! What commands print on standard output: tables for people; JSON, JSON lines and CSV for programs.
//!
//! A command makes a [`View`] (mostly a [`List`]) and hands it to [`Output::print`]. Every JSON document is one object with
//! `"version": 1`; a later version may add members, and only a new number takes some away. JSON lines and CSV are the
//! items of the list without that envelope, under the same names.

mod list;
mod screen;
mod table;
mod text;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::pretty::pretty;
use super::secrets;
use crate::model::harmless;

pub(super) use crate::model::harmless::{line, paragraph, printable};
pub(super) use list::{List, csv_cell};
pub(super) use screen::{Screen, colour_is_welcome};
pub(super) use table::{Widths, table};
pub(super) use text::{ago, millis, span, when};

/// The version of our JSON documents.
pub(super) const VERSION: u32 = 1;

/// How the data looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    // No doc comments: one would turn the whole --help into its long form.
    Table,
    Json,
    Jsonl,
    Csv,
}

/// How to print.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// `table` [default], `json` (one document), `jsonl` (a line an item) or `csv`
    #[arg(short = 'o', long = "output", value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// The same as -o json; with either, errors are JSON too
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// What a command shows: text for people, and the same for programs.
pub(super) trait View {
    /// For people. Ends without a line break; empty when there is nothing to show.
    fn text(&self, screen: &Screen) -> String;
    /// What people should know besides, which is no data.
    fn note(&self) -> Option<String>;
    /// One JSON document in one line.
    fn document(&self) -> serde_json::Result<String>;
    /// JSON, a line an item.
    fn lines(&self) -> serde_json::Result<Vec<String>>;
    /// CSV, with its header if asked for.
    fn csv(&self, header: bool) -> io::Result<String>;
}

impl Output {
    /// The format that was asked for, if any.
    pub(super) fn asked(&self) -> Option<Format> {
        if self.json { Some(Format::Json) } else { self.format }
    }

    /// The format.
    pub(super) fn format(&self) -> Format {
        self.asked().unwrap_or(Format::Table)
    }

    /// Prints it, once.
    ///
    /// # Errors
    /// When standard output cannot be written; a closed pipe is success to [`super::exit`].
    pub(super) fn print(&self, view: &impl View) -> io::Result<()> {
        let screen = Screen::of_standard_output();
        let mut text = match self.format() {
            Format::Table => view.text(&screen),
            Format::Json if screen.terminal => pretty(&view.document()?),
            Format::Json => view.document()?,
            Format::Jsonl => view.lines()?.join("\n"),
            Format::Csv => view.csv(true)?,
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        write_out(&text, self.format())?;
        if let Some(note) = view.note().filter(|_| self.format() == Format::Table) {
            print_note(&note);
        }
        Ok(())
    }
}

/// Writes data to standard output, at once: without the secrets that we know, and so that nothing in it is obeyed by a
/// terminal, whether one reads it now or later.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_out(text: &str, format: Format) -> io::Result<()> {
    let text = match format {
        // A table has escapes of our own, and what others wrote is clean in each cell of it.
        Format::Table | Format::Csv => secrets::hidden(text),
        Format::Json | Format::Jsonl => json(text),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A JSON document, or lines of them, as it may be seen.
pub(super) fn json(document: &str) -> Cow<'_, str> {
    match secrets::hidden_in_json(document) {
        Cow::Borrowed(document) => harmless::json(document),
        Cow::Owned(document) => Cow::Owned(harmless::json(&document).into_owned()),
    }
}

/// A sentence for people, on standard error: no data. Whatever follows its first line is indented.
pub(super) fn print_note(note: &str) {
    // When standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", paragraph(&secrets::hidden(note)));
}
