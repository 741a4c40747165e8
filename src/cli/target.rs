//! Which server a command talks to, and as whom: the options that all client commands share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::client::{ClientOptions, Token};

use super::exit::Usage;

/// The environment variable with the token. It has no flag: arguments are visible to everybody on the machine.
const TOKEN_VARIABLE: &str = "ARCHONCTL_TOKEN";

/// The server to talk to, and how.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The server's MCP endpoint
    #[arg(
        long,
        env = "ARCHONCTL_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8051/mcp"
    )]
    url: String,
    /// File with the server's bearer token; without it `ARCHONCTL_TOKEN` is the token, if set
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The longest that one request may take, repeats included
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The client name that the server is told
    #[arg(long, value_name = "NAME", default_value = "archonctl")]
    client_name: String,
    /// The client version that the server is told
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    client_version: String,
}

impl Target {
    /// The client options that these arguments and the environment make.
    ///
    /// # Errors
    /// When the URL or the token is of no use, or the token file cannot be read.
    pub(super) fn into_options(self) -> anyhow::Result<ClientOptions> {
        let mut options = ClientOptions::new(&self.url)?;
        options.token = token_of(self.token_file.as_deref())?;
        options.timeout = self.timeout;
        options.client.name = self.client_name;
        options.client.version = self.client_version;
        Ok(options)
    }
}

/// The token of that file, else of the environment.
///
/// # Errors
/// When the file cannot be read, or the token is of no use.
pub(super) fn token_of(file: Option<&Path>) -> anyhow::Result<Option<Token>> {
    token(file, std::env::var(TOKEN_VARIABLE).ok())
}

/// The file before the variable; an empty variable is none.
fn token(file: Option<&Path>, variable: Option<String>) -> anyhow::Result<Option<Token>> {
    let text = match file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|e| {
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
        assert!(token(Some(&path), Some("secret".into())).is_err(), "an empty file is no token");
        std::fs::write(&path, "secret\n").expect("written");
        assert!(token(Some(&path), None).expect("a token").is_some());
        assert!(token(None, Some("secret".into())).expect("a token").is_some());
        assert!(token(None, Some(String::new())).expect("no token").is_none());
        assert!(token(None, None).expect("no token").is_none());
        assert!(token(Some(&dir.path().join("none")), None).is_err());
    }
}
