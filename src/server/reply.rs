//! An answer as HTTP has it: status, headers, JSON in one write.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::refusal::Refusal;
use crate::mcp::{Answer, AnswerKind, Recorded};
use crate::protocol::{header, reply};

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
    /// Nothing to say.
    pub(super) fn accepted(archon: Option<Uuid>) -> Self {
        Self { status: StatusCode::ACCEPTED, archon, ..Self::default() }
    }

    pub(super) fn headers(&self) -> HeaderMap {
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
            body: reply::error(None, &refusal.body),
            allow: refusal.allow,
            retry_after: refusal.retry_after,
            ..Self::default()
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self {
            status: match answer.kind {
                AnswerKind::Handled => StatusCode::OK,
                AnswerKind::Accepted => StatusCode::ACCEPTED,
                AnswerKind::Invalid => StatusCode::BAD_REQUEST,
                AnswerKind::NoSession => StatusCode::NOT_FOUND,
                AnswerKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
                AnswerKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                AnswerKind::Broke => StatusCode::INTERNAL_SERVER_ERROR,
            },
            body: answer.body,
            session: answer.session,
            archon: answer.archon,
            recorded: answer.recorded,
            retry_after: answer.retry_after,
            allow: None,
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
