use super::*;

const ID: &str = "1868a90c-5d3b-4c5b-9f3e-0d8f3a4f7a11";

fn refused(status: u16, code: Option<i64>, message: &str) -> Refused<'_> {
    Refused { status, code, message, session: Some(ID), ..Refused::default() }
}

#[test]
fn a_lost_session_is_known_in_every_form() {
    let named =
        [format!("Session {ID} not found"), format!("session not found: {ID}"), format!("Unknown session '{ID}'")];
    for (status, code, message) in [
        (404, None, ""),
        (404, Some(-32001), "Session not found"),
        (404, Some(-32602), "whatever it says"),
        // The TypeScript SDK and what is built on it.
        (400, Some(-32000), "Bad Request: Server not initialized"),
        (400, Some(-32000), "Bad Request: No valid session ID provided"),
        (400, Some(-32000), "Bad Request: Mcp-Session-Id header is required"),
        (400, Some(-32602), "Bad Request: Mcp-Session-Id header is required"),
        (400, Some(-32600), "Invalid session ID"),
        (400, Some(-32000), "No valid sessionId provided"),
        (400, None, "Invalid or missing session ID"),
        (400, Some(-32000), "Not Found: Unknown Mcp-Session-Id header"),
        // Python, Go, C#, Java, Ruby.
        (400, None, "Bad Request: Missing session ID"),
        (400, None, "Invalid session ID"),
        (400, None, "Session ID required in mcp-session-id header"),
        (400, None, "Mcp-Session-Id header is required"),
        (400, None, "Session ID missing"),
        (400, None, "session not found"),
        // Rust before its fix, and gateways.
        (401, None, "Unauthorized: Session not found"),
        (401, Some(-32001), "Session expired"),
        (403, None, "Forbidden: session terminated"),
        (409, None, "Session is closed"),
        (410, None, "Gone: The session has expired"),
        (422, None, "Unexpected message, expect initialize request"),
        (422, None, "Unprocessable Entity: expected initialize request"),
        (400, Some(-32602), "Received request before initialization was complete"),
        (400, Some(-32000), "MCP error -32000: Session no longer exists. Please re-initialize."),
        (400, None, "Session has been terminated; call initialize again"),
        (400, None, "session does not exist"),
        (400, None, "No active session (the server was restarted)"),
        (400, None, "Session not found or expired"),
        (400, None, &named[0]),
        (400, None, &named[1]),
        (400, None, &named[2]),
        (400, None, "Session 1868a90c... not found"),
        (401, None, "session_not_found"),
        (400, None, "Invalid session"),
        (400, Some(-32600), "Bad Request: Invalid session."),
        (401, None, "Unauthorized: Invalid session"),
        (401, Some(-32000), "Session timed out"),
        (400, None, "The session has timed out"),
        (400, Some(-32000), "Session already closed"),
        (400, Some(-32000), "Client must initialize first"),
        (400, None, "Please call initialize first"),
        (400, Some(-32602), "Bad Request: initialize must be called first"),
        (401, None, "Session not initialized, please initialize the session first"),
        (400, None, "No transport found for sessionId"),
        (401, Some(-32000), "No transport found for sessionId"),
        (400, None, "No transport found for sessionId: 1868a90c-5d3b-4c5b-9f3e-0d8f3a4f7a11"),
        (400, None, "invalid_session_id"),
        (200, Some(-32001), "Session not found"),
        (200, Some(-32000), "Bad Request: Server not initialized"),
        (500, Some(-32000), "Session not found"),
    ] {
        assert!(refused(status, code, message).is_loss(), "{status} {code:?} {message:?}");
    }
}

#[test]
fn an_id_may_look_like_the_word_itself() {
    for (id, message, is_loss) in [
        ("session-1868a90c", "Session not found", true),
        ("session-1868a90c", "Session session-1868a90c not found", true),
        ("session-1868a90c", "Session session-1868... not found", true),
        ("session-1868a90c", "Session session-2 not found", false),
        ("expired", "Session expired", true),
    ] {
        assert_eq!(Refused { session: Some(id), ..refused(400, None, message) }.is_loss(), is_loss, "{id}: {message}");
    }
}

#[test]
fn whatever_else_is_refused_is_not() {
    for (status, code, message) in [
        (400, Some(-32602), "argument session_name must be a string"),
        (400, Some(-32602), "Session not found"),
        (400, None, "unknown argument: session_id"),
        (400, None, "missing required argument: session_id"),
        (400, None, "session is required"),
        (400, None, "'session' is a required property"),
        (400, None, "Invalid session_id"),
        (400, None, "session: Field required"),
        (400, None, "the session must not be empty"),
        (400, None, "session not found: shell-7"),
        (400, None, "Session shell-7 not found"),
        (400, None, "cannot end a session that is not yours to end"),
        (400, None, "Database not initialized"),
        (400, None, "the session's title is missing"),
        (400, None, "a session already exists"),
        (400, None, "session"),
        (400, None, "session_id"),
        (400, None, "session_required"),
        (400, None, "not found"),
        (400, None, ""),
        (401, None, "Invalid or expired session token"),
        (401, None, "Your session has expired. Please log in again"),
        (401, None, "who are you?"),
        (403, None, "you may not use this session"),
        (400, Some(-32602), "Invalid session"),
        (400, Some(-32603), "Session timed out"),
        (401, None, "Invalid session token"),
        (400, None, "Invalid session name"),
        (400, None, "Please initialize the database first"),
        (400, None, "call first"),
        (400, None, "the first argument must be an initialized client"),
        (400, None, "No transport found for sessionId: shell-7"),
        (400, None, "unknown argument: sessionId"),
        (400, None, "the shell timed out"),
        (500, None, "Session timed out"),
        (404, Some(-32601), "Method not found"),
        (405, None, "Session not found"),
        (429, None, "no session available"),
        (503, None, "Session not found"),
        (500, None, "Session not found"),
        (500, Some(-32603), "Session not found"),
        (200, Some(-32602), "Session not found"),
        (200, Some(-32603), "Server not initialized"),
    ] {
        assert!(!refused(status, code, message).is_loss(), "{status} {code:?} {message:?}");
    }
}

#[test]
fn an_error_under_the_requests_own_id_came_from_behind_the_session() {
    let echoed = |status, code, message| Refused { echoes_id: true, ..refused(status, Some(code), message) };
    assert!(!echoed(200, -32000, "Session not found").is_loss());
    assert!(!echoed(500, -32000, "Session not found").is_loss());
    assert!(!echoed(400, -32602, "Mcp-Session-Id header is required").is_loss());
    assert!(!echoed(400, -32000, "No valid sessionId provided").is_loss());
    // No tool answers with an HTTP status; a gateway that fills in the id does, and so do servers that copy it from the body
    // before they look for the session. What was refused for its session did not run.
    assert!(echoed(400, -32000, "Session not found").is_loss());
    assert!(echoed(400, -32000, "Bad Request: Session expired").is_loss());
    assert!(echoed(404, -32000, "whatever it says").is_loss());
    assert!(echoed(404, -32001, "Session not found").is_loss());
    for code in [-32700, -32603, -32602, -32601, -32002, 404] {
        assert!(!echoed(404, code, "Unknown tool: nope").is_loss(), "{code}");
    }
    assert!(!echoed(404, -32602, "Session not found").is_loss());
    assert!(echoed(404, 404, "Session not found").is_loss());
    assert!(echoed(200, -32001, "Session not found").is_loss());
}

#[test]
fn a_challenge_is_about_the_token_and_404_without_a_session_about_the_address() {
    let refusal = refused(401, None, "Session not found");
    assert!(!Refused { is_challenge: true, ..refusal }.is_loss());
    assert!(!Refused { session: None, ..refused(404, None, "Session not found") }.is_loss());
    assert!(Refused { session: None, ..refused(400, None, "Mcp-Session-Id header is required") }.is_loss());
}
