//! What can be wrong with the options of a client, without their secrets.

use thiserror::Error;

/// Why options are of no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// Not the URL of a server. The text itself is not repeated: it may hold a password.
    #[error("the server's URL cannot be used: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The token is empty, or has characters that no HTTP header can carry. It is not repeated either.
    #[error("the token is empty, or has characters that an HTTP header cannot carry")]
    Token,
    /// No session id of any server.
    #[error("{id:?} is not a session id: one has visible ASCII characters alone")]
    SessionId {
        /// What was given.
        id: String,
    },
    /// A name or value that no HTTP header can have. The value is not repeated: it may be a secret.
    #[error("the header {name:?} cannot be sent: {reason}")]
    Header {
        /// The name, as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header that says what MCP needs.
    #[error("the header {name:?} is ours to set")]
    Reserved {
        /// The name, as given.
        name: String,
    },
}
