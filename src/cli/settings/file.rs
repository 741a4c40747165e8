//! The configuration file: read, held against the commands, and worked into them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::builder::ArgPredicate;
use clap::{Arg, ArgAction, Command, Id};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::exit::Usage;
use crate::cli::paths::ConfigFile;
use crate::model::encoding;
use crate::model::text::nearest;

use super::name::{THIS_TIME_ONLY, name_of};

/// One value of the file.
#[derive(Debug)]
pub(in crate::cli) struct Entry {
    /// The table it stands in, as the path of a command; none for all commands.
    scope: Vec<String>,
    name: String,
    values: Vec<String>,
    /// Counted from 1.
    pub(in crate::cli) line: usize,
}

/// Reads the file. There is nothing in one that is not there, unless somebody named it.
///
/// # Errors
/// With file and line, when something in it is not as it should be.
pub(super) fn read(place: &ConfigFile, command: &Command) -> Result<Vec<Entry>, Usage> {
    let shown = place.path.display();
    let text = match fs::read(&place.path).and_then(encoding::decode) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound && !place.named => return Ok(Vec::new()),
        Err(e) => return Err(Usage::new(format!("cannot read the configuration file {shown}: {e}"), HINT)),
    };
    refuse_open_file(&place.path)?;
    let document = DeTable::parse(&text).map_err(|e| {
        let line = line_of(&text, e.span().map_or(0, |span| span.start));
        Usage::new(format!("{shown}, line {line}: not TOML: {}", e.message()), "a line is: flag = \"value\"")
    })?;
    let mut reader = Reader { path: &place.path, text: &text, entries: Vec::new() };
    reader.section(document.get_ref(), command, &mut Vec::new())?;
    Ok(reader.entries)
}

/// What may hold a password: `--help` does not show it.
const SECRET: [&str; 2] = ["database-url", "url"];
const HINT: &str = "archonctl config --help describes the file; ARCHONCTL_CONFIG names another";

/// Who can write to the file says which server our tokens go to.
fn refuse_open_file(path: &Path) -> Result<(), Usage> {
    let open = fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o002 != 0);
    let shown = path.display();
    if open { Err(Usage::new(format!("everybody may write to {shown}"), format!("chmod o-w {shown}"))) } else { Ok(()) }
}

/// Counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.split('\n').count())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    /// Reads a table: values for this command and those below it, and a table for each of those.
    fn section(&mut self, table: &DeTable<'_>, command: &Command, scope: &mut Vec<String>) -> Result<(), Usage> {
        let mut members: Vec<_> = table.iter().collect();
        // In the order of the file, so that of two faults the first is told.
        members.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in members {
            let (name, line) = (key.get_ref().replace('_', "-"), line_of(self.text, key.span().start));
            let below = command.get_subcommands().find(|c| c.get_name() == name && !c.is_hide_set());
            if let (DeValue::Table(inner), Some(below)) = (value.get_ref(), below) {
                scope.push(name);
                self.section(inner, below, scope)?;
                scope.pop();
                continue;
            }
            // At the top it would mean one thing to the server and another to its clients.
            let arg = settable(command, &name).filter(|_| !scope.is_empty() || name != "token-file");
            let said = match arg {
                Some(arg) if !matches!(value.get_ref(), DeValue::Table(_)) => values(arg, value),
                _ => Err(unknown(&name, value, command, scope)),
            };
            let values = said.map_err(|e| self.at(line, e))?;
            if self.entries.iter().any(|e| e.scope == *scope && e.name == name) {
                return Err(self.at(line, Usage::new(format!("`{name}` is given twice"), "give it once")));
            }
            self.entries.push(Entry { scope: scope.clone(), name, values, line });
        }
        Ok(())
    }

    fn at(&self, line: usize, fault: Usage) -> Usage {
        Usage { message: format!("{}, line {line}: {}", self.path.display(), fault.message), ..fault }
    }
}

/// The argument of that name, of the command or of one below it.
fn settable<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| name_of(command.get_name(), arg) == Some(name));
    own.or_else(|| command.get_subcommands().find_map(|below| settable(below, name)))
}

/// The value as it would be typed.
fn values(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Usage> {
    let long = arg.get_long().unwrap_or_default();
    let wrong = |takes: &str, example: String| Err(Usage::new(format!("`{long}` takes {takes}"), example));
    let values = match (arg.get_action(), value.get_ref()) {
        (ArgAction::SetTrue, DeValue::Boolean(on)) => return Ok(vec![on.to_string()]),
        (ArgAction::SetTrue, _) => return wrong("true or false", format!("{long} = true")),
        (ArgAction::Append, DeValue::Array(items)) => items.iter().map(scalar).collect(),
        (_, _) => scalar(value).map(|one| vec![one]),
    };
    match values {
        Some(values) => typed(arg, &values).map(|()| values),
        None if matches!(arg.get_action(), ArgAction::Append) => {
            wrong("texts in quotes", format!("{long} = [\"one\", \"two\"]"))
        }
        None => wrong("one value in quotes, or a number", format!("{long} = \"value\"")),
    }
}

fn scalar(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// Lets the argument's own parser judge.
fn typed(arg: &Arg, values: &[String]) -> Result<(), Usage> {
    let long = arg.get_long().unwrap_or_default().to_owned();
    let words: Vec<_> = values.iter().map(|value| format!("--{long}={value}")).collect();
    let probe = Arg::new("value")
        .long(long.clone())
        .value_names(arg.get_value_names().unwrap_or_default().iter().cloned())
        .action(ArgAction::Append)
        .value_parser(arg.get_value_parser().clone());
    let judged = Command::new("archonctl").no_binary_name(true).arg(probe).try_get_matches_from(words);
    judged.map(|_| ()).map_err(|e| {
        let page = e.to_string();
        let first = page.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        let sentence = first.split_whitespace().collect::<Vec<_>>().join(" ");
        Usage::new(sentence, format!("--help of the command says what --{long} takes"))
    })
}

/// Why there is no such name, and which one may have been meant.
fn unknown(name: &str, value: &Spanned<DeValue<'_>>, command: &Command, scope: &[String]) -> Usage {
    let table = if scope.is_empty() { "the top of the file".to_owned() } else { format!("[{}]", scope.join(".")) };
    if name == "token" {
        return Usage::new("a token does not belong in this file", "client-token-file names a file that holds it");
    }
    if name == "token-file" {
        let hint = "a server's file of hashes is token-file in [serve]; a client's token is in its client-token-file";
        return Usage::new(format!("`token-file` is not for {table}"), hint);
    }
    if THIS_TIME_ONLY.contains(&name) {
        return Usage::new(format!("`{name}` is not a setting"), format!("give --{name} on the command line"));
    }
    let is_table = matches!(value.get_ref(), DeValue::Table(_));
    let mut known = Vec::new();
    if is_table {
        known.extend(command.get_subcommands().map(|c| c.get_name().to_owned()));
    } else {
        collect_names(command, &mut known);
    }
    let what = if is_table { format!("no command `{name}`") } else { format!("no setting `{name}` in {table}") };
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = match near.first() {
        Some(near) if is_table => format!("did you mean [{near}]?"),
        Some(near) => format!("did you mean {near}?"),
        None => "archonctl config show lists what can be set for each command".to_owned(),
    };
    Usage::new(format!("there is {what}"), hint)
}

fn collect_names(command: &Command, names: &mut Vec<String>) {
    names.extend(command.get_arguments().filter_map(|arg| name_of(command.get_name(), arg)).map(str::to_owned));
    command.get_subcommands().for_each(|below| collect_names(below, names));
    names.sort_unstable();
    names.dedup();
}

/// Makes what the file says the defaults of the commands.
pub(super) fn apply(command: Command, entries: &[Entry]) -> Command {
    if entries.is_empty() { command } else { apply_below(command, entries, &[]) }
}

fn apply_below(command: Command, entries: &[Entry], path: &[&str]) -> Command {
    let others: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let command = command.mut_args(|arg| match find(entries, path, &arg) {
        Some(entry) => {
            let secret = SECRET.contains(&entry.name.as_str()) || arg.is_hide_default_value_set();
            let arg = arg.default_values(entry.values.clone()).required(false).hide_default_value(secret);
            if entry.name == "url" { unless_given(arg, &others) } else { arg }
        }
        None => arg,
    });
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| {
        let path = [path, &[name.as_str()]].concat();
        command.mut_subcommand(name, |below| apply_below(below, entries, &path))
    })
}

/// A server that is named on the command line in another way goes before the file's URL.
fn unless_given(arg: Arg, others: &[Id]) -> Arg {
    let ways = others.iter().filter(|id| ["config", "server"].contains(&id.as_str()));
    ways.fold(arg, |arg, id| arg.default_value_if(id, ArgPredicate::IsPresent, None::<&str>))
}

/// The entry for an argument of the command with that path; a nearer table goes before a wider one.
pub(super) fn find<'a>(entries: &'a [Entry], path: &[&str], arg: &Arg) -> Option<&'a Entry> {
    let name = name_of(path.last().copied().unwrap_or_default(), arg)?;
    let holds =
        |e: &&Entry| e.name == name && e.scope.len() <= path.len() && e.scope.iter().zip(path).all(|(a, b)| a == b);
    entries.iter().filter(holds).max_by_key(|entry| entry.scope.len())
}
