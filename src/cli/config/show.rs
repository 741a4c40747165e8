//! `archonctl config show`: each flag of each command, as it is without being given.

use clap::{Args, Command};
use serde::Serialize;

use super::value::{Effective, Origin, find, masked, of_command};
use crate::cli::output::{List, Output};
use crate::cli::settings::Settings;
use crate::model::timestamp::Timestamp;
use crate::queries::columns::{Cell, Column, Listed};

const EXAMPLES: &str = "\
Examples:
  archonctl config show
  archonctl config show serve --origin
  archonctl config show call --origin -- --timeout 5s
  archonctl config show -o jsonl

An origin is a flag, an environment variable, a line of the configuration file, or the default. Passwords in URLs are not
shown.";

/// Show the value of each setting of each command
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// The command, to see its settings alone
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Say where each value comes from
    #[arg(long)]
    origin: bool,
    /// Arguments of the command, to see what they would change
    #[arg(last = true, value_name = "ARGUMENT", requires = "command")]
    arguments: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// A setting with its origin.
#[derive(Debug, Serialize)]
struct Setting {
    command: String,
    name: String,
    value: Effective,
    origin: &'static str,
    /// The variable, or the file and line.
    place: Option<String>,
}

/// A setting whose table does not show the origin.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Plain(Setting);

impl Options {
    /// Shows the settings.
    ///
    /// # Errors
    /// When there is no such command, or what is set is of no use.
    pub(super) fn run(self, commands: Command) -> anyhow::Result<()> {
        let settings = Settings::load(commands);
        let path: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let mut all = Vec::new();
        for path in leaves(find(&settings.command, &path)?, &path) {
            all.extend(of_command(&settings, &path, &self.arguments)?);
        }
        let settings = all.into_iter().map(|value| setting(value, &settings)).collect();
        let now = Timestamp::default();
        if self.origin {
            self.output.print(&List::<Setting>::new(settings, now))?;
        } else {
            self.output.print(&List::new(settings.into_iter().map(Plain).collect(), now))?;
        }
        Ok(())
    }
}

/// The paths of the commands at and below that one which do something themselves.
fn leaves<'a>(command: &'a Command, path: &[&'a str]) -> Vec<Vec<&'a str>> {
    let below: Vec<_> = command.get_subcommands().filter(|c| !c.is_hide_set()).collect();
    if below.is_empty() {
        return vec![path.to_vec()];
    }
    below.into_iter().flat_map(|c| leaves(c, &[path, &[c.get_name()]].concat())).collect()
}

fn setting(mut value: Effective, settings: &Settings) -> Setting {
    let name = value.name.clone();
    value.values = value.values.map(|all| all.into_iter().map(|one| masked(&name, one)).collect());
    let (origin, place) = match &value.origin {
        Origin::Flag => ("flag", None),
        Origin::Environment(name) => ("env", Some(name.clone())),
        Origin::File(line) => ("file", settings.path().map(|path| format!("{}:{line}", path.display()))),
        Origin::Default => ("default", None),
    };
    Setting { command: value.command.clone(), name, value, origin, place }
}

impl Listed for Setting {
    type Context = Timestamp;

    const LIST: &'static str = "settings";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("command", "COMMAND", 5, 0, |setting, _| Cell::text(&setting.command)),
        Column::text("setting", "SETTING", 8, 0, |setting, _| Cell::text(&setting.name)),
        Column::text("value", "VALUE", 8, 0, |setting, _| Cell::maybe(setting.value.shown())),
        Column::text("origin", "ORIGIN", 7, 0, |setting, _| Cell::text(setting.origin())),
    ];

    fn members() -> &'static [&'static str] {
        &["command", "name", "value", "origin", "place"]
    }
}

impl Listed for Plain {
    type Context = Timestamp;

    const LIST: &'static str = Setting::LIST;

    const TABLE: &'static [Column<Self>] = &[
        Column::text("command", "COMMAND", 5, 0, |plain, _| Cell::text(&plain.0.command)),
        Column::text("setting", "SETTING", 8, 0, |plain, _| Cell::text(&plain.0.name)),
        Column::text("value", "VALUE", 8, 0, |plain, _| Cell::maybe(plain.0.value.shown())),
    ];

    fn members() -> &'static [&'static str] {
        Setting::members()
    }
}

impl Setting {
    /// `file config.toml:3`.
    fn origin(&self) -> String {
        self.place.as_ref().map_or_else(|| self.origin.to_owned(), |place| format!("{} {place}", self.origin))
    }
}
