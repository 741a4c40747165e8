//! An entry in a JSON file such as editors keep them: comments, order and blanks stay as they are.

use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};

use crate::cli::target::LIKE_EDITORS;

/// Adds the members to the server of that name in the list, and an input of that id if there is one to add.
///
/// # Errors
/// Why nothing can be added.
pub(super) fn add(
    text: &str,
    list: &str,
    name: &str,
    members: Vec<(&'static str, CstInputValue)>,
    input: Option<(&str, CstInputValue)>,
) -> Result<String, String> {
    // A byte order mark is no JSON, and some editors write one.
    let text = text.trim_start_matches('\u{feff}');
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let root = CstRootNode::parse(text, &LIKE_EDITORS).map_err(|e| format!("it is no JSON: {e}"))?;
    let top = root.object_value().ok_or("it is no JSON object")?;
    let servers = object_in(&top, list)?;
    let server = object_in(&servers, name).map_err(|why| format!("{list}: {why}"))?;
    for (member, value) in members {
        set(&server, member, value);
    }
    if let Some((id, input)) = input {
        let inputs = top.array_value_or_create("inputs").ok_or("its inputs are no list")?;
        let is_there = |node: &jsonc_parser::cst::CstNode| node.to_serde_value().is_some_and(|value| value["id"] == id);
        if !inputs.elements().iter().any(is_there) {
            inputs.append(input);
        }
    }
    let text = root.to_string();
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

fn object_in(object: &CstObject, name: &str) -> Result<CstObject, String> {
    object.object_value_or_create(name).ok_or_else(|| format!("its {name} is no object"))
}

/// What says the same already is left as it is written.
fn set(object: &CstObject, name: &str, value: CstInputValue) {
    match object.get(name) {
        None => _ = object.append(name, value),
        Some(member) => {
            let written = member.value().and_then(|node| node.to_serde_value());
            if written.as_ref() != Some(&plain(&value)) {
                member.set_value(value);
            }
        }
    }
}

fn plain(value: &CstInputValue) -> serde_json::Value {
    match value {
        CstInputValue::String(text) => text.as_str().into(),
        CstInputValue::Bool(is) => (*is).into(),
        CstInputValue::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<serde_json::Map<_, _>>().into()
        }
        CstInputValue::Array(elements) => elements.iter().map(plain).collect::<Vec<_>>().into(),
        CstInputValue::Null | CstInputValue::Number(_) => serde_json::Value::Null,
    }
}
