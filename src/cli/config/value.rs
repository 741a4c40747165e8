//! What each argument of a command is now.

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::cli::exit::Usage;
use crate::cli::paths;
use crate::cli::settings::{Settings, name_of};
use crate::client::ClientOptions;
use crate::store::{Location, OpenError};

/// What said it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A flag on the command line.
    Flag,
    /// An environment variable.
    Environment(String),
    /// The configuration file, at that line.
    File(usize),
    /// Nobody.
    Default,
}

/// An argument as it is now.
#[derive(Debug)]
pub(super) struct Effective {
    /// The command's path in one text.
    pub(super) command: String,
    /// What file and environment call it.
    pub(super) name: String,
    /// Nothing; one value; or several, where it can be given several times.
    pub(super) values: Option<Vec<String>>,
    /// Whether it can be given several times.
    pub(super) many: bool,
    pub(super) origin: Origin,
}

impl Effective {
    /// For people.
    pub(super) fn shown(&self) -> Option<String> {
        self.values.as_ref().map(|values| values.join(", "))
    }
}

/// The value alone: null, a text, or a list of texts.
impl Serialize for Effective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match &self.values {
            None => Value::Null,
            Some(values) if self.many => values.clone().into(),
            Some(values) => values.join(", ").into(),
        };
        value.serialize(serializer)
    }
}

/// All that can be set for a command, given these arguments.
///
/// # Errors
/// When the arguments, the environment or the file are not what the command takes.
pub(super) fn of_command(settings: &Settings, path: &[&str], args: &[String]) -> anyhow::Result<Vec<Effective>> {
    let mut command = find(&settings.command, path)?.clone().bin_name(format!("archonctl {}", path.join(" ")));
    command = relaxed(command);
    let matches = command.try_get_matches_from_mut(args).map_err(|e| e.format(&mut command))?;
    let mut found = Vec::new();
    for arg in command.get_arguments() {
        let Some(name) = name_of(path.last().context("a command has a name")?, arg) else { continue };
        let values = raw(&matches, arg);
        found.push(Effective {
            command: path.join(" "),
            name: name.to_owned(),
            many: matches!(arg.get_action(), ArgAction::Append),
            origin: origin(settings, path, &matches, arg),
            values: if name == "database-url" { values.or_else(default_database) } else { values },
        });
    }
    Ok(found)
}

/// The command at that path.
///
/// # Errors
/// When there is none.
pub(super) fn find<'a>(root: &'a Command, path: &[&str]) -> Result<&'a Command, Usage> {
    path.iter().try_fold(root, |command, name| {
        command
            .get_subcommands()
            .find(|c| c.get_name() == *name && !c.is_hide_set())
            .ok_or_else(|| Usage::new(format!("there is no command {name:?}"), "archonctl --help lists the commands"))
    })
}

/// The same command with nothing that has to be given: we want to see what is set without it.
fn relaxed(command: Command) -> Command {
    let groups: Vec<_> = command.get_groups().map(|group| group.get_id().clone()).collect();
    let command = command.mut_args(|arg| arg.required(false)).subcommand_required(false);
    let command = command.no_binary_name(true).arg_required_else_help(false);
    groups.into_iter().fold(command, |command, id| command.mut_group(id, |group| group.required(false)))
}

fn raw(matches: &ArgMatches, arg: &Arg) -> Option<Vec<String>> {
    let id = arg.get_id().as_str();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        // A variable may have said it in other words.
        return Some(vec![matches.get_flag(id).to_string()]);
    }
    let values = matches.get_raw(id)?;
    Some(values.map(|value| value.to_string_lossy().into_owned()).collect())
}

fn origin(settings: &Settings, path: &[&str], matches: &ArgMatches, arg: &Arg) -> Origin {
    match matches.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => Origin::Flag,
        Some(ValueSource::EnvVariable) => {
            Origin::Environment(arg.get_env().unwrap_or_default().to_string_lossy().into_owned())
        }
        Some(_) => settings.entry(path, arg).map_or(Origin::Default, |entry| Origin::File(entry.line)),
        None => Origin::Default,
    }
}

fn default_database() -> Option<Vec<String>> {
    Some(vec![format!("sqlite://{}", paths::default_database().ok()?.display())])
}

/// The value as it may be shown: passwords in URLs are not.
pub(super) fn masked(name: &str, value: String) -> String {
    match name {
        "database-url" => match Location::parse(&value) {
            Ok(postgres @ Location::Postgres(_)) => postgres.shown(),
            Ok(_) => value,
            Err(OpenError::UnknownUrl { url } | OpenError::Tilde { url }) => url,
            Err(_) => "(not shown)".to_owned(),
        },
        "url" => ClientOptions::new(&value).map_or_else(|_| "(no URL)".to_owned(), |options| options.place()),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (name, value, shown) in [
            ("database-url", "postgres://u:hunter2@h/d?password=hunter2", "postgres://u@h/d"),
            ("database-url", "mysql://u:hunter2@h/d", "mysql://u@h/d"),
            ("database-url", "sqlite://a.db", "sqlite://a.db"),
            ("url", "https://u:hunter2@h/mcp?key=hunter2", "https://h/mcp"),
            ("url", "u:hunter2@h", "(no URL)"),
            ("bind", "127.0.0.1:1", "127.0.0.1:1"),
        ] {
            assert_eq!(masked(name, value.to_owned()), shown);
        }
    }
}
