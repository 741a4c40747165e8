//! From an HTTP status that is no success to a typed error.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::protocol::reply::Reply;

use super::error::{ClientError, server_hint};

/// A text body is quoted up to here, in characters.
const QUOTED: usize = 300;

/// The error that a refusal stands for. `with_session` tells whether the request named a session: without one, a 404
/// means that there is nothing at that path.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8], with_session: bool) -> ClientError {
    let (message, hint) = explained(status, headers, body);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ClientError::Auth { status: status.as_u16(), message, hint }
        }
        StatusCode::NOT_FOUND if with_session => ClientError::Session { message, hint, reopened: false },
        StatusCode::BAD_REQUEST if with_session && speaks_of_session(body) => {
            ClientError::Session { message, hint, reopened: false }
        }
        _ => ClientError::Http { status: status.as_u16(), message, hint, retry_after: retry_after(headers) },
    }
}

/// Servers that know only 400 say it in words: `Bad Request: No valid session ID provided`.
fn speaks_of_session(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).to_lowercase().contains("session")
}

/// What happened and what to do, in the server's words where it has any.
fn explained(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> (String, Option<String>) {
    if let Ok(Reply { error: Some(error), .. }) = serde_json::from_slice(body) {
        let hint = error.data.as_ref().and_then(server_hint).map(str::to_owned);
        return (error.message, hint);
    }
    if let Some(location) = headers.get(header::LOCATION).and_then(|v| v.to_str().ok()) {
        // A query may hold a secret.
        return (format!("it redirects to {}", location.split('?').next().unwrap_or_default()), None);
    }
    let text = String::from_utf8_lossy(body);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.starts_with('<') {
        return (status.canonical_reason().unwrap_or("no explanation").to_lowercase(), None);
    }
    (text.chars().take(QUOTED).collect(), None)
}

/// `Retry-After` in seconds. Its other form, a date, is passed over: it would need two clocks that agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str, with_session: bool) -> ClientError {
        let status = StatusCode::from_u16(status).expect("a status");
        judge(status, &HeaderMap::new(), body.as_bytes(), with_session)
    }

    #[test]
    fn tells_a_lost_session_from_a_wrong_address() {
        let original = "Bad Request: No valid session ID provided";
        assert!(matches!(judged(404, "", true), ClientError::Session { .. }));
        assert!(matches!(judged(400, original, true), ClientError::Session { message, .. } if message == original));
        assert!(matches!(judged(404, "", false), ClientError::Http { status: 404, .. }));
        assert!(matches!(judged(400, original, false), ClientError::Http { status: 400, .. }));
        assert!(matches!(judged(400, "bad json", true), ClientError::Http { status: 400, .. }));
    }

    #[test]
    fn passes_on_what_the_server_says() {
        let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no token",
            "data":{"reason":"no_token","hint":"ask Ada"}}}"#;
        let error = judged(401, body, true);
        assert_eq!(error.to_string(), "the server refuses access (401): no token");
        assert_eq!(error.hint().as_deref(), Some("ask Ada"));
        assert_eq!(judged(500, "<html>", true).to_string(), "the server answered 500: internal server error");
        assert_eq!(judged(500, " a\n  b ", true).to_string(), "the server answered 500: a b");
    }

    #[test]
    fn reads_retry_after_in_seconds() {
        for (text, expected) in
            [("7", Some(7)), (" 0 ", Some(0)), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
        {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().expect("a header"))]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn names_where_a_redirect_leads() {
        let headers = HeaderMap::from_iter([(header::LOCATION, "https://b/mcp?key=1".parse().expect("a header"))]);
        let error = judge(StatusCode::FOUND, &headers, b"moved", false);
        assert_eq!(error.to_string(), "the server answered 302: it redirects to https://b/mcp");
        assert!(error.hint().is_some_and(|h| h.contains("--url")));
    }
}
