//! The HTTP headers of MCP's Streamable HTTP transport, and ours beside them.

/// The protocol session (MCP 2025-03-26 and later, basic/transports).
pub const SESSION: &str = "mcp-session-id";
/// The name that the session guide prints for the same; read, never sent.
pub const SESSION_ALIAS: &str = "x-mcp-session-id";
/// The Archon (analytics) session.
pub const ARCHON_SESSION: &str = "x-archon-session-id";
/// The revision of MCP that a request speaks.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// On an answer whose request row was not on disk when the answer left: `deferred` (it is queued) or `dropped`.
pub const RECORD: &str = "x-archon-record";

/// Whether a text can be a session id: 8 to 128 visible ASCII characters (the specification's alphabet, our length).
/// Anything else is refused before a database sees it.
pub fn is_session_id(id: &str) -> bool {
    (8..=128).contains(&id.len()) && id.bytes().all(|b| (0x21..=0x7e).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::is_session_id;

    #[test]
    fn session_ids_are_8_to_128_visible_ascii() {
        assert!(is_session_id("550e8400-e29b-41d4-a716-446655440000"));
        assert!(is_session_id("';DROP--"));
        for bad in ["", "short", "has space", "nül-nül-nül", "a\u{0}bcdefgh", &"x".repeat(129)] {
            assert!(!is_session_id(bad), "{bad:?}");
        }
    }
}
