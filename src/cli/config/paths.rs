//! `archonctl config paths`: where our files are, and whether they are there.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use serde::Serialize;

use super::value::of_command;
use crate::cli::output::{List, Output};
use crate::cli::paths;
use crate::cli::settings::Settings;
use crate::model::timestamp::Timestamp;
use crate::model::word::words;
use crate::queries::columns::{Cell, Column, Listed, Tone};
use crate::store::Location;

const EXAMPLES: &str = "\
Examples:
  archonctl config paths
  archonctl config paths -o json

The database is the one that archonctl serve would use. One on PostgreSQL is named and not asked.";

/// Show where the configuration file, the database and the remembered sessions are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct PathRow {
    name: &'static str,
    path: String,
    state: State,
}

words! {
    /// Whether it is there.
    enum State, "state" {
        /// It is.
        Exists = "exists",
        /// It is not.
        Missing = "missing",
        /// It is elsewhere, and was not asked.
        Remote = "remote",
    }
}

impl Options {
    /// Shows the places.
    ///
    /// # Errors
    /// When no variable names a folder, or the database's URL is none.
    pub(super) fn run(self, commands: Command) -> anyhow::Result<()> {
        let settings = Settings::load(commands);
        let state = paths::state_folder()?;
        let sessions = state.join("sessions.json");
        let mut places = Vec::new();
        places.extend(settings.path().map(|path| local("configuration file", path)));
        places.push(local("state folder", &state));
        places.push(match database(&settings)? {
            Location::SqliteFile(path) => local("database", &path),
            other => PathRow { name: "database", path: other.shown(), state: State::Remote },
        });
        places.push(local("remembered sessions", &sessions));
        if let Some(fault) = &settings.fault {
            super::super::output::print_note(&format!("warning: {fault}"));
        }
        self.output.print(&List::new(places, Timestamp::default()))?;
        Ok(())
    }
}

fn local(name: &'static str, path: &Path) -> PathRow {
    let state = if path.exists() { State::Exists } else { State::Missing };
    PathRow { name, path: path.display().to_string(), state }
}

/// The database that a server would use.
fn database(settings: &Settings) -> anyhow::Result<Location> {
    let url = of_command(settings, &["serve"], &[])?.into_iter().find(|value| value.name == "database-url");
    match url.and_then(|value| value.values?.pop()) {
        Some(url) => Ok(Location::parse(&url)?),
        None => Ok(Location::SqliteFile(PathBuf::new())),
    }
}

impl Listed for PathRow {
    type Context = Timestamp;

    const LIST: &'static str = "paths";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("name", "NAME", 8, 0, |place, _| Cell::text(place.name)),
        Column::text("path", "PATH", 0, 0, |place, _| Cell::text(&place.path)),
        Column::text("state", "STATE", 6, 0, |place, _| place.state_cell()),
    ];

    fn members() -> &'static [&'static str] {
        &["name", "path", "state"]
    }
}

impl PathRow {
    fn state_cell(&self) -> Cell {
        Cell::text(self.state).toned(if self.state == State::Missing { Tone::Dim } else { Tone::Plain })
    }
}
