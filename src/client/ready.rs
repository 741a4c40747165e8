//! Whether a server of ours is ready, as a probe asks it: without a session, a token, or a trace.

use tokio::time::timeout;

use super::error::ClientError;
use super::options::ClientOptions;
use super::transport::Transport;

/// Asks `/readyz` beside the MCP endpoint: `None` when the server is ready, else why it is not.
///
/// # Errors
/// When nobody answers, or somebody who knows no `/readyz`.
pub async fn why_not_ready(options: &ClientOptions) -> Result<Option<String>, ClientError> {
    let mut options = options.clone();
    // A URL that has a path has one with another last part.
    if let Ok(url) = options.url.join("readyz") {
        options.url = url;
    }
    options.token = None;
    let transport = Transport::new(&options, Vec::new())?;
    match timeout(options.timeout, transport.get()).await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(ClientError::Http { status: 503, message, .. })) => Ok(Some(message)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ClientError::Timeout { place: transport.place().to_owned(), after: options.timeout }),
    }
}
