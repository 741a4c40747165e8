//! An answer, as JSON in one write or as the one event of a stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::detached::Detached;
use super::refusal::Refusal;
use crate::mcp::Recorded;
use crate::protocol::{header, reply};

/// Between keep-alives of a stream that waits for its answer: shorter than the idle time of common proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a POST or DELETE is answered with.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// JSON, or nothing.
    pub(super) body: Vec<u8>,
    /// The id of a session that was just opened.
    pub(super) session: Option<Arc<str>>,
    /// The Archon session that the request belongs to.
    pub(super) archon: Option<Uuid>,
    /// Where the request's row was.
    pub(super) recorded: Recorded,
    /// Seconds after which to come back.
    pub(super) retry_after: Option<u32>,
    /// The methods that the place takes, where it does not take the request's.
    pub(super) allow: Option<&'static str>,
}

impl Reply {
    /// 202 or 204: nothing to say.
    pub(super) fn empty(status: StatusCode, archon: Option<Uuid>) -> Self {
        Self { status, archon, ..Self::default() }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        let mut set = |name: HeaderName, value: &str| {
            // Ids are hexadecimal and our texts are ASCII: every one is a header value.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if let Some(session) = &self.session {
            set(HeaderName::from_static(header::SESSION), session);
        }
        if let Some(archon) = &self.archon {
            let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
            set(HeaderName::from_static(header::ARCHON_SESSION), archon.hyphenated().encode_lower(&mut text));
        }
        if let Some(text) = self.recorded.as_header() {
            set(HeaderName::from_static(header::RECORD), text);
        }
        if let Some(seconds) = self.retry_after {
            set(RETRY_AFTER, &seconds.to_string());
        }
        if let Some(methods) = self.allow {
            set(ALLOW, methods);
        }
        match self.status {
            StatusCode::UNAUTHORIZED => set(WWW_AUTHENTICATE, "Bearer realm=\"archonctl\""),
            // What would be taken (RFC 9110, 15.5.16).
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                set(ACCEPT, "application/json");
                set(ACCEPT_ENCODING, "identity");
            }
            _ => {}
        }
        headers
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.status,
            body: reply::error(refusal.id.as_deref(), &refusal.body),
            archon: refusal.archon,
            retry_after: refusal.retry_after,
            allow: refusal.allow,
            ..Self::default()
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut headers = self.headers();
        if !self.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// JSON that is no answer of JSON-RPC.
pub(super) fn json_response(status: StatusCode, body: String) -> Response {
    Reply { status, body: body.into_bytes(), ..Reply::default() }.into_response()
}

/// The answer as a stream of one event, for a client that reads nothing else. An error keeps its status and is JSON.
pub(super) fn one_event(reply: Reply) -> Response {
    if reply.status != StatusCode::OK || reply.body.is_empty() {
        return reply.into_response();
    }
    stream_response(reply.headers(), Body::from(event(&reply)))
}

/// A stream that is kept alive until the answer is there. Its status has left already, so an error comes as the event.
pub(super) fn waiting_stream(call: Detached<Reply>, archon: Uuid) -> Response {
    let events = stream::unfold(Some(call), |call| async {
        let mut call = call?;
        match tokio::time::timeout(KEEP_ALIVE, &mut call).await {
            Err(_) => Some((Ok::<_, Infallible>(Bytes::from_static(b": keep-alive\n\n")), Some(call))),
            Ok(reply) => {
                let reply = reply.unwrap_or_else(|| Refusal::panicked().into());
                Some((Ok(Bytes::from(event(&reply))), None))
            }
        }
    });
    let headers = Reply { archon: Some(archon), ..Reply::default() }.headers();
    stream_response(headers, Body::from_stream(events))
}

/// The answer as an event. What its header would say of its row stands before it as a comment, which clients of streams
/// pass over: the headers of a stream have left before the row could be written.
fn event(reply: &Reply) -> Vec<u8> {
    let comment = reply.recorded.as_header().map(|text| format!(": {}: {text}\n", header::RECORD)).unwrap_or_default();
    // Our JSON has no line breaks: one `data:` line holds it.
    [comment.as_bytes(), b"event: message\ndata: ", &reply.body, b"\n\n"].concat()
}

fn stream_response(mut headers: HeaderMap, body: Body) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer would hold the keep-alives back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}
