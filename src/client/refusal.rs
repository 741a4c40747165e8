//! From an HTTP status that is no success to a typed error.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::protocol::error::{INVALID_REQUEST, REFUSED};
use crate::protocol::header::{PROTOCOL_VERSION, SESSION};
use crate::protocol::reply::{ForeignError, Reply};

use super::answer::{messages, number};
use super::error::{ClientError, ProtocolError, server_hint};
use super::loss::Refused;
use super::sse::{Limits, SseReader};

/// A text body is quoted up to here, in characters.
const QUOTED: usize = 300;

/// The error that a refusal stands for. `asked` are the headers of the request: without a session among them, a 404 means
/// that there is nothing at that path.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8], asked: &HeaderMap) -> ClientError {
    let said = Said::read(status, headers, body);
    let refused = Refused { is_challenge: is_challenge(headers), ..said.refused(status, asked) };
    let is_loss = is_in_session(asked) && refused.is_loss();
    let Said { message, hint, may_have_run, .. } = said;
    match status {
        _ if is_loss => ClientError::Session { message, hint, reopened: false },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ClientError::Auth { status: status.as_u16(), message, hint }
        }
        _ => {
            let retry_after = retry_after(headers);
            ClientError::Http { status: status.as_u16(), message, hint, retry_after, may_have_run }
        }
    }
}

/// The error that a JSON-RPC error under a good status stands for.
pub(super) fn judge_answer(error: ForeignError, echoes_id: bool, asked: &HeaderMap) -> ClientError {
    let said = Said { code: Some(error.code), echoes_id, message: error.message.clone(), ..Said::default() };
    if is_in_session(asked) && said.refused(StatusCode::OK, asked).is_loss() {
        let hint = error.data.as_ref().and_then(server_hint).map(str::to_owned);
        return ClientError::Session { message: error.message, hint, reopened: false };
    }
    ProtocolError::Answered(error).into()
}

/// Whether a request was made within a session, be it one that has no id.
fn is_in_session(asked: &HeaderMap) -> bool {
    asked.contains_key(SESSION) || asked.contains_key(PROTOCOL_VERSION)
}

/// Whether the server finds the token wrong (RFC 6750, section 3), and does not merely say that it takes some.
fn is_challenge(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter();
    challenges.filter_map(|v| v.to_str().ok()).any(|challenge| challenge.to_ascii_lowercase().contains("error="))
}

/// What happened and what to do, in the server's words where it has any.
#[derive(Debug, Default)]
struct Said {
    code: Option<i64>,
    echoes_id: bool,
    message: String,
    hint: Option<String>,
    /// Whether the request was read and answered, and not refused before.
    may_have_run: bool,
}

impl Said {
    fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let messages = all_messages(body);
        let may_have_run = messages.iter().any(|message| answers_what_ran(message));
        let replies = messages.iter().filter_map(|message| serde_json::from_str(message.get()).ok());
        if let Some(Reply { error: Some(error), id, .. }) = replies.into_iter().find(|r: &Reply| r.error.is_some()) {
            let hint = error.data.as_ref().and_then(server_hint).map(str::to_owned);
            let echoes_id = id.is_some_and(|id| is_ours(&id));
            return Self { code: Some(error.code), echoes_id, message: error.message, hint, may_have_run };
        }
        Self { message: plain(status, headers, body), may_have_run, ..Self::default() }
    }

    fn refused<'a>(&'a self, status: StatusCode, asked: &'a HeaderMap) -> Refused<'a> {
        Refused {
            status: status.as_u16(),
            code: self.code,
            echoes_id: self.echoes_id,
            message: &self.message,
            session: asked.get(SESSION).and_then(|id| id.to_str().ok()),
            is_challenge: false,
        }
    }
}

/// The messages of a body: of JSON, or of an event stream.
fn all_messages(body: &[u8]) -> Vec<Box<RawValue>> {
    let read = |text: &[u8]| messages(text).map(|all| all.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>());
    read(body).unwrap_or_else(|_| {
        let mut reader = SseReader::new(Limits { event: body.len() + 1, stream: body.len() });
        let events = reader.push(body).unwrap_or_default();
        events.iter().filter_map(|event| read(&event.data).ok()).flatten().collect()
    })
}

/// Whether a message answers a request that may have run: it has a request's id, and a result, or an error with another
/// code than those by which a server refuses what it has not looked at.
fn answers_what_ran(message: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        result: Option<serde::de::IgnoredAny>,
        error: Option<Value>,
    }
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(message.get()) else { return false };
    let unread = [REFUSED, INVALID_REQUEST].map(f64::from);
    let is_error =
        |error: &Value| error.is_object() && error["code"].as_f64().is_none_or(|code| !unread.contains(&code));
    answer.id.is_some_and(is_ours) && (answer.result.is_some() || answer.error.as_ref().is_some_and(is_error))
}

/// Whether it can be an id of ours; they begin with 1.
fn is_ours(id: &RawValue) -> bool {
    number(id).is_some_and(|id| id > 0)
}

/// What a body says that is no JSON-RPC.
fn plain(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    if let Some(location) = headers.get(header::LOCATION).and_then(|v| v.to_str().ok()) {
        return format!("it redirects to {}", harmless(location));
    }
    let text = serde_json::from_slice(body).ok().and_then(|body| sentence(&body));
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.starts_with('<') {
        return status.canonical_reason().unwrap_or("no explanation").to_lowercase();
    }
    text.chars().take(QUOTED).collect()
}

/// The sentence in JSON as web frameworks write their errors.
fn sentence(body: &Value) -> Option<String> {
    let places = ["/error/message", "/error_description", "/message", "/detail", "/error", "/title"];
    let found = places.iter().filter_map(|place| body.pointer(place)?.as_str());
    body.as_str().into_iter().chain(found).find(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// An address without what may be secret: user, password, query, fragment.
pub(super) fn harmless(address: &str) -> String {
    let plain = address.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = plain.split_at(plain.find("//").map_or(0, |at| at + 2));
    let (authority, path) = rest.split_at(if scheme.is_empty() { 0 } else { rest.find('/').unwrap_or(rest.len()) });
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{path}")
}

/// `Retry-After` in seconds. Its other form, a date, is passed over: it would need two clocks that agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn judged(status: u16, body: &str, with_session: bool) -> ClientError {
        let status = StatusCode::from_u16(status).expect("a status");
        judge(status, &HeaderMap::new(), body.as_bytes(), &asked(with_session))
    }

    fn asked(with_session: bool) -> HeaderMap {
        let id = HeaderValue::from_static("1868a90c");
        with_session.then(|| (HeaderName::from_static(SESSION), id)).into_iter().collect()
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
    fn a_session_is_lost_in_the_words_of_any_framework() {
        for body in [
            r#"{"error": "Session not found"}"#,
            r#"{"detail": "Session not found"}"#,
            r#"{"error": "not_found", "message": "Session not found"}"#,
            r#"{"error": {"message": "Session not found"}}"#,
            r#"{"cause": null, "jsonRpcError": null, "message": "Session not found"}"#,
            r#""Session not found""#,
            r#"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}]"#,
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":\"server-error\",\"error\":{\"code\":-32000,\"message\":\"Session not found\"}}",
        ] {
            let error = judged(400, body, true);
            assert!(matches!(&error, ClientError::Session { message, .. } if message == "Session not found"), "{body}");
        }
        let about_an_argument = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"session not found"}}"#;
        assert!(matches!(judged(400, about_an_argument, true), ClientError::Http { .. }));
    }

    #[test]
    fn a_401_is_about_the_token_unless_it_speaks_of_the_session() {
        assert!(matches!(judged(401, "Unauthorized: Session not found", true), ClientError::Session { .. }));
        assert!(matches!(judged(401, "Unauthorized: Session not found", false), ClientError::Auth { .. }));
        assert!(matches!(judged(401, "Unauthorized", true), ClientError::Auth { .. }));
        for (challenge, is_loss) in [("Bearer", true), (r#"Bearer error="invalid_token""#, false)] {
            let headers = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, challenge.parse().expect("a header"))]);
            let error = judge(StatusCode::UNAUTHORIZED, &headers, b"Session expired", &asked(true));
            assert_eq!(matches!(error, ClientError::Session { .. }), is_loss, "{challenge}: {error}");
        }
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
    fn an_answer_under_the_requests_own_id_may_come_after_it_ran() {
        let failed = |id: &str, code: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code}}}}}"#);
        for (body, ran) in [
            (failed("2", "-32603"), true),
            (failed("\"2\"", "-32602"), true),
            (failed("2.0", "1"), true),
            (failed("2", "-32603.0"), true),
            (failed("2", "\"E_WRITE\""), true),
            (format!("[{}]", failed("2", "-32001")), true),
            (format!("event: message\ndata: {}\n\n", failed("2", "-32603")), true),
            (r#"{"jsonrpc":"2.0","id":2,"result":{}}"#.to_owned(), true),
            (failed("2", "-32000"), false),
            (failed("2", "-32600"), false),
            (failed("null", "-32603"), false),
            (failed("0", "-32603"), false),
            (failed("\"server-error\"", "-32603"), false),
            (r#"{"id":4711,"message":"slow down"}"#.to_owned(), false),
            (r#"{"error":{"code":503}}"#.to_owned(), false),
            ("busy".to_owned(), false),
            (String::new(), false),
        ] {
            let error = judged(503, &body, true);
            let ClientError::Http { may_have_run, .. } = error else { panic!("{error}") };
            assert_eq!(may_have_run, ran, "{body}");
            assert_eq!(error.hint().is_some_and(|hint| hint.contains("may have run")), ran, "{body}");
        }
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
        let error = judge(StatusCode::FOUND, &headers, b"moved", &HeaderMap::new());
        assert_eq!(error.to_string(), "the server answered 302: it redirects to https://b/mcp");
        assert!(error.hint().is_some_and(|h| h.contains("--url")));
        for (location, shown) in [
            ("https://me:pw@b:1/x#token=1", "https://b:1/x"),
            ("//me@b", "//b"),
            ("/a@b/c?d", "/a@b/c"),
            ("mcp/", "mcp/"),
            ("", ""),
        ] {
            assert_eq!(harmless(location), shown);
        }
    }
}
