//! `archonctl connect`: what an MCP client's configuration has to say so that it uses this server.

mod apps;
mod json;
mod toml;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tempfile::NamedTempFile;

use super::exit::{DONE, Usage};
use super::output::tell;
use super::paths;
use crate::client::ClientOptions;
use apps::{App, Entry};

const EXAMPLES: &str = "\
Examples:
  archonctl connect
  archonctl connect claude --write
  archonctl connect vscode --write --with-token
  archonctl connect codex --url https://archon.example.org/mcp --entry-name archon

It prints the client's entry for the server, in the client's own format. With --write it adds the entry to the client's file,
and keeps all else that is there, comments included. The file is that of this folder (codex has one for the user alone), with
--user-file the one for all of the user's folders.";

/// Print what an MCP client needs to know of the server, or add it to the client's configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The client; without it the entries of all of them are printed
    #[arg(value_enum)]
    client: Option<App>,
    /// Add the entry to the client's file
    #[arg(long, requires = "client")]
    write: bool,
    /// Use the file for all of this user's folders instead of the one for this folder
    #[arg(long)]
    user_file: bool,
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

impl Options {
    /// Prints or writes.
    ///
    /// # Errors
    /// When the URL is of no use, or the client's file is none that an entry can be added to.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let url = ClientOptions::new(&self.url)?.url().to_owned();
        let entry = Entry { name: self.entry_name, url, with_token: self.with_token };
        let (working, home) = (std::env::current_dir().unwrap_or_default(), paths::home());
        let file = |app: App| app.file(self.user_file, &working, home.as_deref());
        match self.client {
            Some(app) if self.write => write(app, &entry, &file(app)?)?,
            Some(app) => print(&app.add("", &entry).map_err(anyhow::Error::msg)?)?,
            None => {
                for app in App::ALL {
                    let text = app.add("", &entry).map_err(anyhow::Error::msg)?;
                    print(&format!("{}, {}:\n{text}\n", app.title(), file(app)?.display()))?;
                }
            }
        }
        if let (Some(app), true) = (self.client, entry.with_token) {
            tell(app.token_note());
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

fn write(app: App, entry: &Entry, file: &Path) -> anyhow::Result<()> {
    // What a link leads to is what the client reads.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unusable(&file, &error.to_string()).into()),
    };
    let after = app.add(&before, entry).map_err(|why| unusable(&file, &why))?;
    let (name, shown) = (&entry.name, file.display());
    if after == before {
        return print(&format!("{shown} has the entry {name} for {} already\n", entry.url));
    }
    replace(&file, &after).with_context(|| format!("cannot write {shown}"))?;
    print(&format!("added the entry {name} for {} to {shown}\n", entry.url))
}

fn unusable(file: &Path, why: &str) -> Usage {
    Usage::new(
        format!("cannot add to {}: {why}", file.display()),
        "mend the file, or print the entry (without --write) and add it by hand",
    )
}

/// All of it or nothing: a client may read it at any time. The file keeps its permissions.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    std::fs::create_dir_all(&folder)?;
    let mut new = NamedTempFile::new_in(&folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = std::fs::metadata(file) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}
