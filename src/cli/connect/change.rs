//! What adding an entry to a client's file came to, and when an entry of that name is another server's.

use serde_json::{Map, Value};

use crate::client::ClientOptions;

/// What makes an entry one of a program, which a client starts.
const OF_PROGRAMS: [&str; 6] = ["command", "args", "env", "envFile", "env_vars", "cwd"];
/// Where the clients keep an address.
const OF_ADDRESSES: [&str; 3] = ["url", "httpUrl", "serverUrl"];
/// How the clients call Streamable HTTP.
const HTTP: [&str; 4] = ["http", "streamable-http", "streamableHttp", "streamable_http"];
/// What a client sends besides, and what may be a credential.
const SENT: [&str; 5] = ["headers", "http_headers", "env_http_headers", "bearer_token_env_var", "oauth"];

/// A file with the entry in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    /// The text of the file.
    pub(super) text: String,
    /// What the entry was before.
    pub(super) was: Was,
    /// What a user should know.
    pub(super) notes: Vec<String>,
}

/// What an entry was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Was {
    /// Not there.
    Nothing,
    /// Ours, complete or not.
    Ours,
    /// That other server's.
    Another(String),
}

/// Why a file is left as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none that can be added to, and why.
    Unusable(String),
    /// It has an entry of that name for that other server.
    Another(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Unusable(why)
    }
}

/// What is known of an entry that is there already.
#[derive(Debug)]
pub(super) struct Former<'a> {
    /// Its members, as far as they matter here.
    pub(super) members: &'a Map<String, Value>,
    /// The member that the client reads the address from.
    pub(super) url_member: &'a str,
    /// The address that it is to have.
    pub(super) url: &'a str,
}

impl Former<'_> {
    /// Whose it is. Without leave to replace, another server's entry is refused.
    pub(super) fn judge(&self, replace: bool) -> Result<Was, Refusal> {
        match self.another() {
            None => Ok(Was::Ours),
            Some(other) if replace => Ok(Was::Another(other)),
            Some(other) => Err(Refusal::Another(other)),
        }
    }

    /// Members that an entry of ours does not have, there or not. What was sent to another server is not for this one.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &'static str> {
        let addresses = OF_ADDRESSES.into_iter().filter(|member| *member != self.url_member);
        let sent = self.another().map(|_| SENT).into_iter().flatten();
        OF_PROGRAMS.into_iter().chain(addresses).chain(self.other_type().map(|_| "type")).chain(sent)
    }

    /// A note on what was sent to the other server, and is gone with it.
    pub(super) fn note_of_sent(&self) -> Option<String> {
        let gone: Vec<_> = SENT.into_iter().filter(|member| self.members.contains_key(*member)).collect();
        (!gone.is_empty()).then(|| format!("note: {} of the other server were removed with it", gone.join(", ")))
    }

    /// The other server, as far as it may be shown: arguments and variables may hold secrets.
    fn another(&self) -> Option<String> {
        let other_address =
            || OF_ADDRESSES.into_iter().filter(|m| *m != self.url_member).find_map(|m| self.members.get(m));
        let program = self.members.get("command").map(command);
        let program = program.or_else(|| self.other_type()).or_else(|| other_address().map(address));
        program.or_else(|| match self.members.get(self.url_member) {
            Some(url) if is_same(url, self.url) => None,
            Some(url) => Some(address(url)),
            None => OF_PROGRAMS.into_iter().find(|m| self.members.contains_key(*m)).map(|m| format!("with {m}")),
        })
    }

    fn other_type(&self) -> Option<String> {
        let found = self.members.get("type")?;
        match found.as_str() {
            Some(http) if HTTP.contains(&http) => None,
            Some(other) if is_plain(other) => Some(format!("of type {other}")),
            _ => Some("of another type".to_owned()),
        }
    }
}

/// A program's name alone.
fn command(found: &Value) -> String {
    let name = found.as_str().and_then(|path| path.rsplit('/').next()).filter(|name| is_plain(name));
    name.map_or_else(|| "a program".to_owned(), |name| format!("the program {name}"))
}

fn address(found: &Value) -> String {
    options(found).map_or_else(|| "at another URL".to_owned(), |options| format!("at {}", options.place()))
}

fn is_same(found: &Value, url: &str) -> bool {
    found.as_str() == Some(url) || options(found).is_some_and(|options| options.secret_url() == url)
}

/// No client knows our short forms of a URL.
fn options(found: &Value) -> Option<ClientOptions> {
    found.as_str().filter(|text| text.contains("://")).and_then(|text| ClientOptions::new(text).ok())
}

fn is_plain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 32 && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(entry: &Value) -> Result<Was, Refusal> {
        let members = entry.as_object().expect("an object");
        Former { members, url_member: "url", url: "http://a/mcp" }.judge(false)
    }

    #[test]
    fn the_same_address_is_ours() {
        for entry in [
            json!({}),
            json!({"url": "http://a/mcp", "type": "http", "env": {}}),
            json!({"url": "HTTP://a:80/mcp", "type": "streamable-http"}),
            json!({"headers": {}, "enabled": false}),
        ] {
            assert_eq!(judged(&entry), Ok(Was::Ours), "{entry}");
        }
    }

    #[test]
    fn another_server_is_named_without_its_secrets() {
        for (entry, other) in [
            (json!({"command": "/usr/bin/npx", "args": ["hunter2"]}), "the program npx"),
            (json!({"command": "KEY=hunter2 npx", "url": "http://a/mcp"}), "a program"),
            (json!({"command": ["hunter2"]}), "a program"),
            (json!({"args": ["hunter2"]}), "with args"),
            (json!({"url": "http://u:hunter2@b/mcp?k=hunter2"}), "at http://b/mcp"),
            (json!({"url": "${HUNTER2}"}), "at another URL"),
            (json!({"url": "a:80/mcp"}), "at another URL"),
            (json!({"url": "http://a/mcp", "serverUrl": "http://b/"}), "at http://b/"),
            (json!({"url": "http://a/mcp", "type": "sse"}), "of type sse"),
            (json!({"url": "http://a/mcp", "type": "hunter2 hunter2"}), "of another type"),
        ] {
            assert_eq!(judged(&entry), Err(Refusal::Another(other.to_owned())), "{entry}");
        }
    }
}
