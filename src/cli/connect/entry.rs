//! What a client has to know of the server.

/// What a client has to know of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it is called in the file.
    pub(super) name: String,
    /// The MCP endpoint, with whatever secrets its URL holds.
    pub(super) url: String,
    /// Whether a token is to be sent.
    pub(super) with_token: bool,
    /// Whether it may take the place of another server's entry.
    pub(super) replace: bool,
}
