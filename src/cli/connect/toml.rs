//! An entry in a TOML file: comments, order and blanks stay as they are.

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::apps::Entry;

const LIST: &str = "mcp_servers";

/// Adds the entry; a token is taken from that variable.
///
/// # Errors
/// Why nothing can be added.
pub(super) fn add(text: &str, entry: &Entry, token: &str) -> Result<String, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut document: DocumentMut = text.parse().map_err(|e| format!("it is no TOML: {e}"))?;
    let servers = document.entry(LIST).or_insert_with(|| {
        let mut table = Table::new();
        // No heading of its own: [mcp_servers.NAME] says it all.
        table.set_implicit(true);
        Item::Table(table)
    });
    let servers = servers.as_table_like_mut().ok_or_else(|| format!("its {LIST} is no table"))?;
    let server = servers.entry(&entry.name).or_insert_with(|| Item::Table(Table::new()));
    let server = server.as_table_like_mut().ok_or_else(|| format!("its {LIST}.{} is no table", entry.name))?;
    set(server, "url", &entry.url);
    if entry.with_token {
        set(server, "bearer_token_env_var", token);
    }
    Ok(document.to_string())
}

/// What says the same already is left as it is written.
fn set(table: &mut dyn TableLike, name: &str, text: &str) {
    if table.get(name).and_then(Item::as_str) != Some(text) {
        table.insert(name, value(text));
    }
}
