//! Where OAuth would be, for clients that look for it before they ask for a token, or after a 401: a 404 in OAuth's own
//! shape (RFC 6749, 5.2), so that they show what it says.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::reply::json_response;

/// Endpoints that clients guess where there is no metadata (2025-03-26, basic/authorization).
const GUESSED: [&str; 3] = ["/register", "/authorize", "/token"];

/// Whether a client looks for OAuth at that path, beside or below the MCP endpoint.
pub(super) fn is_asked_for(path: &str) -> bool {
    let below = path.strip_prefix("/mcp").filter(|below| below.starts_with('/')).unwrap_or(path);
    below.starts_with("/.well-known/") || GUESSED.contains(&below.trim_end_matches('/'))
}

/// There is none: tokens come from the operator, if any are asked for.
pub(super) fn there_is_none(token_is_needed: bool) -> Response {
    let way_out = if token_is_needed {
        "This server has no OAuth. Its bearer tokens are handed out by its operator: get one there, and let the client send \
         it as the header Authorization: Bearer TOKEN."
    } else {
        "This server has no OAuth and asks for no token: connect to /mcp without one."
    };
    // One of the codes that RFC 6749 has. None says "not here", and clients do not know others.
    let body = json!({ "error": "invalid_request", "error_description": way_out });
    json_response(StatusCode::NOT_FOUND, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_clients_look() {
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/mcp/.well-known/openid-configuration",
            "/register",
            "/authorize/",
            "/token",
            "/mcp/token",
        ] {
            assert!(is_asked_for(path), "{path}");
        }
        for path in ["/", "/mcp", "/mcp/", "/tokens", "/a/token", "/mcptoken", "/.well-known", "/health"] {
            assert!(!is_asked_for(path), "{path}");
        }
    }
}
