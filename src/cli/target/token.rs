//! The token that a server is told: where it comes from, and which server may have it.

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::cli::ask::agreed;
use crate::cli::exit::Usage;
use crate::cli::output::print_note;
use crate::client::{ClientOptions, Token};
use crate::model::encoding;

use super::address::Owner;

/// The environment variable with the token. It has no flag: arguments are visible to everybody on the machine.
const TOKEN_VARIABLE: &str = "ARCHONCTL_TOKEN";
/// The header that a token is sent in.
pub(super) const AUTHORIZATION: &str = "authorization";

/// What is said instead of sending it.
const KEPT: &str = "note: your token is not sent, because a file of the project names this server; its entry gets the token \
     if it asks for it with the header \"Authorization\": \"Bearer ${ARCHONCTL_TOKEN}\", any server does with --url";

/// The token of that file, else of the environment, for a server that may have it: the user names the server, or agrees.
///
/// # Errors
/// When the file cannot be read, or the token is of no use.
pub(super) fn for_server(file: Option<&Path>, options: &ClientOptions, owner: Owner) -> anyhow::Result<Option<Token>> {
    // What is said of one server goes before what is said of all.
    let variable = if options.has_header(AUTHORIZATION) { None } else { std::env::var(TOKEN_VARIABLE).ok() };
    let token = token(file, variable)?;
    if token.is_none() || owner == Owner::User || is_agreed(&options.place())? {
        return Ok(token);
    }
    print_note(KEPT);
    Ok(None)
}

/// Off a terminal nobody can agree.
fn is_agreed(place: &str) -> io::Result<bool> {
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    Ok(can_ask && agreed(&format!("Send your token to {place}?"))?)
}

/// The token of that file, else of the environment.
///
/// # Errors
/// When the file cannot be read, or the token is of no use.
pub(in crate::cli) fn token_of(file: Option<&Path>) -> anyhow::Result<Option<Token>> {
    token(file, std::env::var(TOKEN_VARIABLE).ok())
}

/// The file before the variable; an empty variable is none.
fn token(file: Option<&Path>, variable: Option<String>) -> anyhow::Result<Option<Token>> {
    let text = match file {
        Some(path) => Some(std::fs::read(path).and_then(encoding::decode).map_err(|e| {
            Usage::new(
                format!("cannot read the token file {}: {e}", path.display()),
                "it holds the token and nothing else",
            )
        })?),
        None => variable.filter(|text| !text.is_empty()),
    };
    Ok(text.as_deref().map(Token::parse).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_file_goes_before_the_variable() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("token");
        std::fs::write(&path, "\n").expect("written");
        assert!(token(Some(&path), Some("secret".into())).is_err(), "an empty file is not a token");
        for text in ["secret\n", "\u{feff}secret\r\n"] {
            std::fs::write(&path, text).expect("written");
            assert!(token(Some(&path), None).expect("a token").is_some(), "{text:?}");
        }
        assert!(token(None, Some("secret".into())).expect("a token").is_some());
        assert!(token(None, Some(String::new())).expect("no token").is_none());
        assert!(token(None, None).expect("no token").is_none());
        assert!(token(Some(&dir.path().join("none")), None).is_err());
    }
}
