//! An entry in a JSON file such as editors keep them: comments, order and blanks stay as they are.

use jsonc_parser::cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

use super::change::{Added, Former, Refusal, Was};
use super::entry::Entry;
use crate::cli::target::LIKE_EDITORS;

/// What a client's file has to hold.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The member that lists the servers.
    pub(super) list: &'static str,
    /// The member of an entry that holds the address.
    pub(super) url_member: &'static str,
    /// The members of the entry.
    pub(super) members: Vec<(&'static str, CstInputValue)>,
    /// What the client asks its user for, by its id.
    pub(super) input: Option<(&'static str, CstInputValue)>,
}

/// Adds what is wanted to a file's text.
///
/// # Errors
/// Why nothing can be added.
pub(super) fn add(text: &str, entry: &Entry, wanted: Wanted) -> Result<Added, Refusal> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let root = CstRootNode::parse(text, &LIKE_EDITORS).map_err(|e| {
        // Where, and nothing of the file itself: it may hold secrets.
        format!("it is no JSON (line {}, column {})", e.line_display(), e.column_display())
    })?;
    let top = root.object_value_or_create().ok_or_else(|| "it is no JSON object".to_owned())?;
    let servers = object_in(&top, wanted.list)?;
    let is_new = single(&servers, &entry.name, str::eq)?.is_none();
    let server = object_in(&servers, &entry.name).map_err(|why| format!("{}: {why}", wanted.list))?;
    let members = server.to_serde_value().and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let former = Former { members: &members, url_member: wanted.url_member, url: &entry.url };
    let was = if is_new { Was::Nothing } else { former.judge(entry.replace)? };
    let mut notes: Vec<_> = former.note_of_sent().filter(|_| matches!(was, Was::Another(_))).into_iter().collect();
    if entry.replace {
        former.foreign().for_each(|member| remove(&server, member));
    }
    for (member, value) in wanted.members {
        set(&server, member, value, entry.replace, &mut notes)?;
    }
    if let Some((id, input)) = wanted.input {
        ask_for(&top, id, input)?;
    }
    Ok(Added { text: root.to_string(), was, notes })
}

/// The member of that name. Of two, clients read now the one and now the other.
fn single(object: &CstObject, name: &str, same: fn(&str, &str) -> bool) -> Result<Option<CstObjectProp>, String> {
    let named = |member: &CstObjectProp| member.decoded_name().is_some_and(|found| same(&found, name));
    let mut found = object.properties().into_iter().filter(named);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(format!("it has {name} twice")),
        (found, None) => Ok(found),
    }
}

fn object_in(object: &CstObject, name: &str) -> Result<CstObject, String> {
    single(object, name, str::eq)?;
    object.object_value_or_create(name).ok_or_else(|| format!("its {name} is not an object"))
}

fn remove(object: &CstObject, name: &str) {
    let named = |member: &CstObjectProp| member.decoded_name().is_some_and(|found| found == name);
    object.properties().into_iter().filter(named).for_each(CstObjectProp::remove);
}

/// What says the same already is left as it is written, and so are a user's own headers.
fn set(
    server: &CstObject,
    name: &str,
    value: CstInputValue,
    replace: bool,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let Some(member) = single(server, name, str::eq)? else {
        server.append(name, value);
        return Ok(());
    };
    if let CstInputValue::Object(headers) = value {
        let found = member.object_value().ok_or_else(|| format!("its {name} is not an object"))?;
        for (header, value) in headers {
            match single(&found, &header, str::eq_ignore_ascii_case)? {
                None => _ = found.append(&header, value),
                Some(own) if own.to_serde_value() == Some(plain(&value)) => {}
                Some(own) if replace => own.set_value(value),
                Some(_) => {
                    notes.push(format!("note: the entry keeps its own {header}; --replace overwrites it"));
                }
            }
        }
    } else if replace && member.to_serde_value() != Some(plain(&value)) {
        member.set_value(value);
    }
    Ok(())
}

fn ask_for(top: &CstObject, id: &str, input: CstInputValue) -> Result<(), String> {
    single(top, "inputs", str::eq)?;
    let inputs = top.array_value_or_create("inputs").ok_or("its inputs are not a list")?;
    let is_there = |node: &CstNode| node.to_serde_value().is_some_and(|value| value["id"] == id);
    if !inputs.elements().iter().any(is_there) {
        inputs.append(input);
    }
    Ok(())
}

fn plain(value: &CstInputValue) -> Value {
    match value {
        CstInputValue::String(text) => text.as_str().into(),
        _ => Value::Null,
    }
}
