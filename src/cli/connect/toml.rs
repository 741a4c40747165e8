//! An entry in a TOML file: comments, order, blanks and the ends of lines stay as they are.

use serde_json::{Map, Value};
use similar::TextDiff;
use toml_edit::{DocumentMut, Item, Table, TableLike, TomlError, value};

use super::change::{Added, Former, Refusal, Was};
use super::entry::Entry;

const LIST: &str = "mcp_servers";
const URL: &str = "url";

/// Adds the entry; a token is taken from that variable.
///
/// # Errors
/// Why nothing can be added.
pub(super) fn add(text: &str, entry: &Entry, token: &str) -> Result<Added, Refusal> {
    let mut document: DocumentMut = text.parse().map_err(|e| unreadable(text, &e))?;
    let unchanged = document.to_string();
    let servers = document.entry(LIST).or_insert_with(|| {
        let mut table = Table::new();
        // No heading of its own: [mcp_servers.NAME] says it all.
        table.set_implicit(true);
        Item::Table(table)
    });
    let servers = servers.as_table_like_mut().ok_or_else(|| format!("its {LIST} is not a table"))?;
    let is_new = servers.get(&entry.name).is_none();
    let server = servers.entry(&entry.name).or_insert_with(|| Item::Table(Table::new()));
    let server = server.as_table_like_mut().ok_or_else(|| format!("its {LIST}.{} is not a table", entry.name))?;
    let members = members(server);
    let former = Former { members: &members, url_member: URL, url: &entry.url };
    let was = if is_new { Was::Nothing } else { former.judge(entry.replace)? };
    let mut notes: Vec<_> = former.note_of_sent().filter(|_| matches!(was, Was::Another(_))).into_iter().collect();
    if entry.replace {
        former.foreign().for_each(|member| _ = server.remove(member));
    }
    set(server, URL, &entry.url, entry.replace);
    if entry.with_token && !set(server, "bearer_token_env_var", token, entry.replace) {
        notes.push("note: the entry keeps its own bearer_token_env_var; --replace overwrites it".to_owned());
    }
    let after = document.to_string();
    let text = if after == unchanged { text.to_owned() } else { with_ends_of(text, &after) };
    Ok(Added { text, was, notes })
}

/// Where it is no TOML. The line itself may hold a secret.
fn unreadable(text: &str, error: &TomlError) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("it is no TOML (line {line}, column {column})")
}

/// The texts, and that there is something else.
fn members(table: &dyn TableLike) -> Map<String, Value> {
    table.iter().map(|(name, item)| (name.to_owned(), item.as_str().map_or(Value::Null, Value::from))).collect()
}

/// Whether it says so afterwards: what is there stays unless it may be replaced.
fn set(table: &mut dyn TableLike, name: &str, text: &str, replace: bool) -> bool {
    let found = table.get(name);
    if found.and_then(Item::as_str) == Some(text) {
        return true;
    }
    let may = replace || found.is_none();
    if may {
        table.insert(name, value(text));
    }
    may
}

/// The editing library ends every line with `\n`: lines that were there get their own ends back, new ones that of the first.
fn with_ends_of(before: &str, after: &str) -> String {
    let ends: Vec<_> = before.split_inclusive('\n').map(|l| if l.ends_with("\r\n") { "\r\n" } else { "\n" }).collect();
    let plain = before.replace("\r\n", "\n");
    let diff = TextDiff::from_lines(plain.as_str(), after);
    let kept = diff.iter_all_changes().filter(|change| change.new_index().is_some());
    let lines = kept.map(|change| {
        let end = change.old_index().and_then(|at| ends.get(at)).or(ends.first()).unwrap_or(&"\n");
        change.value().strip_suffix('\n').map_or_else(|| change.value().to_owned(), |line| format!("{line}{end}"))
    });
    lines.collect()
}
