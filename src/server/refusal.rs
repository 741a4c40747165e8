//! Every refusal: its status, and a JSON-RPC body that says what happened and what to do next.

use http::StatusCode;
use uuid::Uuid;

use crate::mcp::Caller;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, INVALID_REQUEST, REFUSED, SESSION_NOT_FOUND};
use crate::protocol::frame::FrameError;
use crate::protocol::header;
use crate::session::{Cap, SessionError};

/// A request that is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The request's id as raw JSON, where it could be read.
    pub(super) id: Option<String>,
    pub(super) body: ErrorBody,
    /// The Archon session, where the request came in one.
    pub(super) archon: Option<Uuid>,
    /// Seconds after which to come back.
    pub(super) retry_after: Option<u32>,
}

const INITIALIZE: &str = "call initialize without a session id, and use the Mcp-Session-Id of its answer";

impl Refusal {
    pub(super) fn new(status: StatusCode, body: ErrorBody) -> Self {
        Self { status, id: None, body, archon: None, retry_after: None }
    }

    pub(super) fn for_request(mut self, id: Option<&str>) -> Self {
        self.id = self.id.or_else(|| id.map(ToOwned::to_owned));
        self
    }

    pub(super) fn in_session(self, caller: &Caller) -> Self {
        Self { archon: Some(caller.live.archon_id()), ..self }
    }

    pub(super) fn foreign(header: &str, flag: &str) -> Self {
        let body = ErrorBody::new(REFUSED, format!("the {header} header names a stranger"))
            .because("foreign_host", format!("use a loopback address, or start the server with {flag}"));
        Self::new(StatusCode::FORBIDDEN, body)
    }

    pub(super) fn unauthorized(message: &'static str) -> Self {
        let body = ErrorBody::new(REFUSED, message)
            .because("unauthorized", "send Authorization: Bearer TOKEN with a token of this server's token file");
        Self::new(StatusCode::UNAUTHORIZED, body)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let body = ErrorBody::new(REFUSED, format!("the body is larger than {limit} bytes"))
            .because("too_large", "send less in one message");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, body)
    }

    pub(super) fn slow_body() -> Self {
        let body = ErrorBody::new(REFUSED, "the body did not arrive in time").because("slow_body", "send it again");
        Self::new(StatusCode::REQUEST_TIMEOUT, body)
    }

    pub(super) fn broken_body() -> Self {
        let body = ErrorBody::new(REFUSED, "the body did not arrive whole").because("broken_body", "send it again");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn content_type() -> Self {
        let body = ErrorBody::new(REFUSED, "the content type is not JSON")
            .because("content_type", "send Content-Type: application/json");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, body)
    }

    pub(super) fn method() -> Self {
        let body = ErrorBody::new(REFUSED, "this endpoint takes POST and DELETE; it has no stream of its own to GET")
            .because("method_not_allowed", "POST JSON-RPC messages; DELETE ends a session");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, body)
    }

    pub(super) fn no_such_route() -> Self {
        let body = ErrorBody::new(REFUSED, "there is nothing here")
            .because("not_found", "the MCP endpoint is /mcp; also /health, /healthz, /readyz, /metrics");
        Self::new(StatusCode::NOT_FOUND, body)
    }

    pub(super) fn modern() -> Self {
        let body = ErrorBody::new(REFUSED, "this server speaks MCP revisions up to 2025-11-25")
            .because("legacy_only", "fall back to initialize");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn version() -> Self {
        let body =
            ErrorBody::new(REFUSED, "the MCP-Protocol-Version header names a revision that this server does not speak")
                .because("unsupported_version", "use the revision that initialize agreed on, or leave the header out");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn two_sessions() -> Self {
        let body = ErrorBody::new(REFUSED, "two session ids that differ")
            .because("two_sessions", "send Mcp-Session-Id once; X-MCP-Session-Id is an alias of it");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    /// The sentence is the one that clients of the original know, so that they see it for what it is.
    pub(super) fn no_session() -> Self {
        let body = ErrorBody::new(REFUSED, "Bad Request: No valid session ID provided")
            .because("session_required", INITIALIZE);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn batch() -> Self {
        let body = ErrorBody::new(INVALID_REQUEST, "batches are of revision 2025-03-26 alone")
            .because("batch", "send one message a request");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn busy(message: &'static str) -> Self {
        let body = ErrorBody::new(REFUSED, message).because("unavailable", "try again; the session is kept");
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, body) }
    }

    /// 503 where the whole server is full, 429 where it is this client's own doing.
    fn capped(cap: Cap) -> Self {
        let (status, reason, hint, seconds) = match cap {
            Cap::Sessions(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "full", "try again later; sessions end by DELETE or when idle", 5)
            }
            Cap::PerPrincipal(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_sessions", "use a session again, or end one with DELETE", 5)
            }
            Cap::Rate(_) => (StatusCode::TOO_MANY_REQUESTS, "too_fast", "keep the session and use it again", 1),
        };
        let body = ErrorBody::new(REFUSED, format!("No new session: {cap}")).because(reason, hint);
        Self { retry_after: Some(seconds), ..Self::new(status, body) }
    }

    pub(super) fn panicked() -> Self {
        let body = ErrorBody::new(INTERNAL_ERROR, "this request broke on our side; the server goes on")
            .because("internal_error", "report it with the server's log; the session is kept");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, body)
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        Self { id: error.id, ..Self::new(StatusCode::BAD_REQUEST, error.body) }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        let gone = |message: String, reason| {
            Self::new(StatusCode::NOT_FOUND, ErrorBody::new(SESSION_NOT_FOUND, message).because(reason, INITIALIZE))
        };
        match error {
            // Who asks for another's session learns as much as who asks for none.
            SessionError::Malformed | SessionError::Unknown | SessionError::Foreign => {
                gone("Session not found".to_owned(), "session_unknown")
            }
            SessionError::Ended(ended) => {
                let at = ended.at.map(|at| at.to_string());
                let when = at.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
                let why = if ended.reason.is_empty() {
                    String::new()
                } else {
                    format!(": {} by {}", ended.reason, ended.who())
                };
                let mut refusal = gone(format!("Session not found: it ended{when}{why}"), "session_ended");
                if let Some(data) = &mut refusal.body.data {
                    data.ended_at = at;
                    data.ended_by = (!ended.by.is_empty()).then(|| ended.who().to_owned());
                }
                refusal
            }
            SessionError::Capped(cap) => Self::capped(cap),
            SessionError::Unavailable(error) => {
                tracing::debug!(%error, "a session could not be checked");
                Self::busy("the session store does not answer now")
            }
        }
    }
}

/// What every answer with a session id names it by.
pub(super) const SESSION_HEADERS: [&str; 2] = [header::SESSION, header::SESSION_ALIAS];
