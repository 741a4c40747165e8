//! Whether a server of ours is ready, as a probe asks it: without a session, a token, or a trace.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use reqwest::Url;
use tokio::time::timeout;

use crate::protocol::header::ARCHON_SESSION;

use super::error::ClientError;
use super::http::Http;
use super::options::{ClientOptions, Server};

/// Asks `/readyz` beside the MCP endpoint: `None` when the server is ready, else why it is not.
///
/// # Errors
/// When nobody answers, or somebody who knows no `/readyz`.
pub async fn why_not_ready(options: &ClientOptions) -> Result<Option<String>, ClientError> {
    let mut options = options.clone();
    let url = options.url().map(beside).ok_or_else(|| not_http(&options.place()))?;
    options.server = Server::Http(url.clone());
    options.token = None;
    options.headers.remove(AUTHORIZATION);
    options.headers.remove(ARCHON_SESSION);
    let transport = Http::new(&url, &options, Vec::new())?;
    match timeout(options.timeout, transport.get(&HeaderMap::new())).await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(ClientError::Http { status: 503, message, .. })) => Ok(Some(message)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ClientError::Timeout { place: transport.place().to_owned(), after: options.timeout }),
    }
}

/// A program is ready when it is started.
fn not_http(place: &str) -> ClientError {
    let (program, what) = (place.to_owned(), "is a program, which has no address to ask".to_owned());
    ClientError::Program { program, what, said: Vec::new() }
}

/// `/readyz` in place of the last part of the path, be there a slash behind it or none; without user and password, which
/// would be sent as a header.
fn beside(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    url.set_path(endpoint.path().trim_end_matches('/'));
    // These fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    // A URL that has a path has one with another last part.
    url.join("readyz").unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_beside_the_endpoint() {
        for (endpoint, asked) in [
            ("http://host/mcp", "http://host/readyz"),
            ("http://host/mcp/", "http://host/readyz"),
            ("http://host/mcp//?key=1#x", "http://host/readyz"),
            ("http://host", "http://host/readyz"),
            ("http://host/", "http://host/readyz"),
            ("https://me:pw@host:1/archon/mcp/", "https://host:1/archon/readyz"),
        ] {
            assert_eq!(beside(&endpoint.parse().expect("a URL")).as_str(), asked, "{endpoint}");
        }
    }
}
