//! `archonctl connect`: what an MCP client's configuration has to say so that it uses this server.

mod apps;
mod change;
mod entry;
mod file;
mod json;
mod toml;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::exit::{DONE, Usage};
use super::output::print_note;
use super::paths;
use crate::client::ClientOptions;
use apps::App;
use change::{Added, Refusal, Was};
use entry::Entry;
use file::Kept;

const EXAMPLES: &str = "\
Examples:
  archonctl connect
  archonctl connect claude --write
  archonctl connect vscode --write --with-token
  archonctl connect codex --url https://archon.example.org/mcp --entry-name archon

It prints the client's entry for the server, in the client's own format. With --write it adds the entry to the client's file, \
and keeps all else that is there, comments included. The file is that of this folder (codex has one for the user alone), with \
--user-file the one for all of the user's folders.

An entry of that name that exists already is completed. One for another server, a program or another URL, is \
left alone; --replace overwrites it.";

/// Print an MCP client's configuration entry for this server, or add it to the client's file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The client; without it the entries of all of them are printed
    #[arg(value_enum)]
    client: Option<App>,
    #[command(flatten)]
    writing: Writing,
    /// The name of the entry
    #[arg(long, value_name = "NAME", default_value = "archon", value_parser = name)]
    entry_name: String,
    /// The server's MCP endpoint
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8051/mcp",
        env = "ARCHONCTL_URL",
        hide_env_values = true
    )]
    url: String,
    /// Send a bearer token: the entry names where the client finds it, and does not hold it
    #[arg(long)]
    with_token: bool,
}

/// Whether to write, and where.
#[derive(Debug, Clone, Copy, Args)]
struct Writing {
    /// Add the entry to the client's file
    #[arg(long, requires = "client")]
    write: bool,
    /// Replace another server's entry of the same name
    #[arg(long, requires = "write")]
    replace: bool,
    /// Use the file for all of this user's folders instead of the one for this folder
    #[arg(long)]
    user_file: bool,
}

impl Options {
    /// Prints or writes.
    ///
    /// # Errors
    /// When the URL is of no use, or the client's file is none that an entry can be added to.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let server = ClientOptions::new(&self.url)?;
        let (url, place) = (server.secret_url().to_owned(), server.place());
        let entry = Entry { name: self.entry_name, url, with_token: self.with_token, replace: self.writing.replace };
        let (working, home) = (std::env::current_dir().unwrap_or_default(), paths::home());
        match self.client {
            Some(app) if self.writing.write => {
                let file = app.file(self.writing.user_file, &working, home.as_deref())?;
                print(&write(app, &entry, &place, &file, app.mode(self.writing.user_file))?)?;
            }
            Some(app) => print(&printed(app, &entry)?)?,
            None => {
                for app in App::ALL {
                    let file = app.file_shown(self.writing.user_file, &working, home.as_deref());
                    print(&format!("{}, {file}:\n{}\n", app.title(), printed(app, &entry)?))?;
                }
            }
        }
        if entry.url != place {
            print_note("warning: the URL has a user, password, query or fragment, and stands in the entry as it is");
        }
        if let (Some(app), true) = (self.client, entry.with_token) {
            print_note(app.token_note());
        }
        Ok(ExitCode::from(DONE))
    }
}

/// What every client takes for a name.
fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain);
    if is_name { Ok(text.to_owned()) } else { Err("a name has letters, digits, - and _") }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write")
}

/// The entry as it is in a file of its own.
fn printed(app: App, entry: &Entry) -> Result<String, Usage> {
    app.add("", entry).map(|added| added.text).map_err(|why| refused(app.title(), entry, why))
}

/// Adds the entry to the file, and says what was done. `place` is the URL as it may be shown.
fn write(app: App, entry: &Entry, place: &str, file: &Path, mode: u32) -> Result<String, Usage> {
    let shown = file.display().to_string();
    let add = |text: &str| app.add(text, entry).map(|Added { text, was, notes }| (text, (was, notes)));
    let ((was, notes), is_changed) = file::change(file, mode, add).map_err(|kept| match kept {
        Kept::Unusable(why) => unusable(&shown, &why),
        Kept::Refused(why) => refused(&shown, entry, why),
    })?;
    for note in notes {
        print_note(&note);
    }
    let name = &entry.name;
    Ok(match was {
        _ if !is_changed => format!("{shown} has the entry {name} for {place} already\n"),
        Was::Nothing => format!("added the entry {name} for {place} to {shown}\n"),
        Was::Ours => format!("completed the entry {name} for {place} in {shown}\n"),
        Was::Another(other) => format!("changed the entry {name} for {place} in {shown} (was {other})\n"),
    })
}

fn refused(file: &str, entry: &Entry, why: Refusal) -> Usage {
    match why {
        Refusal::Unusable(why) => unusable(file, &why),
        Refusal::Another(other) => Usage::new(
            format!("cannot add to {file}: the entry {} is for another server ({other})", entry.name),
            "choose another name with --entry-name, or overwrite it with --replace",
        ),
    }
}

fn unusable(file: &str, why: &str) -> Usage {
    Usage::new(
        format!("cannot add to {file}: {why}"),
        "mend the file, or print the entry (without --write) and add it by hand",
    )
}
