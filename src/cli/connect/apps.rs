//! The clients: where each keeps its servers, and what an entry looks like there.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jsonc_parser::cst::CstInputValue;
use jsonc_parser::json;

use super::change::{Added, Refusal};
use super::entry::Entry;
use super::json::Wanted;
use super::{json as edit_json, toml as edit_toml};
use crate::cli::exit::Usage;

/// The variable that the clients which read variables take the token from.
const TOKEN: &str = "ARCHONCTL_TOKEN";
/// What VS Code calls the token that it asks for.
const INPUT: &str = "archonctl-token";

/// An MCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum App {
    /// Claude Code
    Claude,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    Vscode,
    /// Codex CLI
    Codex,
    /// Gemini CLI
    Gemini,
}

impl App {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [Self::Claude, Self::Cursor, Self::Vscode, Self::Codex, Self::Gemini];

    /// What people call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Cursor => "Cursor",
            Self::Vscode => "Visual Studio Code",
            Self::Codex => "Codex CLI",
            Self::Gemini => "Gemini CLI",
        }
    }

    /// Its file for the working folder, or for all folders of the user.
    ///
    /// # Errors
    /// When the user has no home.
    pub(super) fn file(self, of_user: bool, working: &Path, home: Option<&Path>) -> Result<PathBuf, Usage> {
        match self.of_folder() {
            Some(file) if !of_user => Ok(working.join(file)),
            _ => {
                let home = home.ok_or_else(|| Usage::new("there is no home (HOME)", "set HOME"))?;
                Ok(home.join(self.of_home()))
            }
        }
    }

    /// The same for people, who know where they live.
    pub(super) fn file_shown(self, of_user: bool, working: &Path, home: Option<&Path>) -> String {
        let file = self.file(of_user, working, home);
        file.map_or_else(|_| format!("~/{}", self.of_home()), |file| file.display().to_string())
    }

    /// The permissions of its file where there is none yet, before the umask: a folder's file is shared, a user's is not.
    pub(super) fn mode(self, of_user: bool) -> u32 {
        if of_user || self.of_folder().is_none() { 0o600 } else { 0o666 }
    }

    /// Adds the entry to the text of its file; all else stays as it is.
    ///
    /// # Errors
    /// Why nothing can be added to that text.
    pub(super) fn add(self, text: &str, entry: &Entry) -> Result<Added, Refusal> {
        if self == Self::Codex {
            return edit_toml::add(text, entry, TOKEN);
        }
        let (list, url_member) = (self.list(), self.url_member());
        let wanted = Wanted { list, url_member, members: self.members(entry), input: self.input(entry) };
        edit_json::add(text, entry, wanted)
    }

    /// Where the token comes from.
    pub(super) fn token_note(self) -> &'static str {
        match self {
            Self::Vscode => "note: Visual Studio Code asks for the token, and keeps it",
            Self::Claude | Self::Cursor | Self::Codex | Self::Gemini => {
                "note: the client takes the token from the variable ARCHONCTL_TOKEN of its own environment"
            }
        }
    }

    fn of_folder(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some(".mcp.json"),
            Self::Cursor => Some(".cursor/mcp.json"),
            Self::Vscode => Some(".vscode/mcp.json"),
            // It reads a folder's file only where it trusts the folder.
            Self::Codex => None,
            Self::Gemini => Some(".gemini/settings.json"),
        }
    }

    fn of_home(self) -> &'static str {
        match self {
            Self::Claude => ".claude.json",
            Self::Cursor => ".cursor/mcp.json",
            Self::Vscode => vscode_of_user(),
            Self::Codex => ".codex/config.toml",
            Self::Gemini => ".gemini/settings.json",
        }
    }

    /// The member of the file that lists the servers.
    fn list(self) -> &'static str {
        if self == Self::Vscode { "servers" } else { "mcpServers" }
    }

    /// The member of an entry that holds the address.
    fn url_member(self) -> &'static str {
        if self == Self::Gemini { "httpUrl" } else { "url" }
    }

    /// The members of the entry.
    fn members(self, entry: &Entry) -> Vec<(&'static str, CstInputValue)> {
        let url = json!(entry.url.as_str());
        let mut members = match self {
            Self::Gemini => vec![(self.url_member(), url)],
            _ => vec![("type", json!("http")), (self.url_member(), url)],
        };
        if entry.with_token {
            let reference = match self {
                Self::Vscode => format!("${{input:{INPUT}}}"),
                Self::Cursor => format!("${{env:{TOKEN}}}"),
                Self::Claude | Self::Gemini | Self::Codex => format!("${{{TOKEN}}}"),
            };
            members.push(("headers", json!({ "Authorization": (format!("Bearer {reference}")) })));
        }
        members
    }

    /// What the client asks its user for.
    fn input(self, entry: &Entry) -> Option<(&'static str, CstInputValue)> {
        let asks = self == Self::Vscode && entry.with_token;
        asks.then(|| {
            let input =
                json!({ "type": "promptString", "id": INPUT, "description": "Token of archonctl", "password": true });
            (INPUT, input)
        })
    }
}

fn vscode_of_user() -> &'static str {
    if cfg!(target_os = "macos") {
        "Library/Application Support/Code/User/mcp.json"
    } else {
        ".config/Code/User/mcp.json"
    }
}

#[cfg(test)]
mod tests;
