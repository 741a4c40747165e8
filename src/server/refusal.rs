//! Every refusal: its status, and a JSON-RPC body that says what happened and what to do next.

use http::StatusCode;
use uuid::Uuid;

use super::origin::OriginPattern;
use super::patterns::HostPattern;
use crate::mcp::Caller;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, INVALID_REQUEST, REFUSED, SESSION_NOT_FOUND};
use crate::protocol::frame::FrameError;
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
    /// The methods that the place takes.
    pub(super) allow: Option<&'static str>,
}

/// So many characters of a name are shown: the longest that DNS has.
const SHOWN: usize = 253;
/// What the MCP endpoint takes.
pub(super) const MCP_METHODS: &str = "POST, DELETE";
/// What the person in front of the client can do; the client's own part is [`INITIALIZE`].
const RECONNECT: &str = "reconnect this server in the client, which then calls initialize and gets a new one";
const INITIALIZE: &str = "call initialize without a session id, and use the Mcp-Session-Id of its answer";

impl Refusal {
    pub(super) fn new(status: StatusCode, body: ErrorBody) -> Self {
        Self { status, id: None, body, archon: None, retry_after: None, allow: None }
    }

    pub(super) fn for_request(mut self, id: Option<&str>) -> Self {
        self.id = self.id.or_else(|| id.map(ToOwned::to_owned));
        self
    }

    pub(super) fn in_session(self, caller: &Caller) -> Self {
        Self { archon: Some(caller.live.archon_id()), ..self }
    }

    /// A host that we do not answer to.
    pub(super) fn foreign_host(header: &str, host: &[u8]) -> Self {
        let name = shown(host);
        let fact = if name.is_empty() {
            format!("the {header} header is empty")
        } else {
            format!("this server does not answer to the name {name} ({header} header)")
        };
        let flag = flag("--allow-host", host, "HOST", HostPattern::parse(&name).is_ok());
        Self::foreign(fact, flag.as_deref(), "127.0.0.1 or localhost")
    }

    /// A page that is not let in.
    pub(super) fn foreign_origin(origin: &[u8]) -> Self {
        let name = shown(origin);
        let fact = format!("pages from {} may not use this server", if name.is_empty() { "nowhere" } else { &name });
        let flag = flag("--allow-origin", origin, "https://HOST", OriginPattern::parse(&name).is_ok());
        Self::foreign(fact, flag.as_deref(), "a page on localhost")
    }

    fn foreign(fact: impl std::fmt::Display, flag: Option<&str>, own: &str) -> Self {
        let (way_out, hint) = match flag {
            Some(flag) => (
                format!("use {own}, or ask its operator to start it with {flag}"),
                format!("use {own}, or start the server with {flag}"),
            ),
            None => (format!("use {own}"), format!("use {own}")),
        };
        Self::new(StatusCode::FORBIDDEN, ErrorBody::told(REFUSED, fact, &way_out).because("foreign_host", hint))
    }

    /// RFC 9112, 3.2: one Host header, and a host in it.
    pub(super) fn bad_host(fact: &'static str) -> Self {
        let way_out = "send one Host header with the server's address";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("bad_host", way_out);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn unauthorized(fact: &'static str) -> Self {
        let way_out = "get a token from this server's operator, and let the client send it as the header Authorization: \
             Bearer TOKEN";
        let body = ErrorBody::told(REFUSED, fact, way_out)
            .because("unauthorized", "send Authorization: Bearer TOKEN with a token of this server's token file");
        Self::new(StatusCode::UNAUTHORIZED, body)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let way_out = "send less in one message";
        let body = ErrorBody::told(REFUSED, format_args!("the body is larger than {limit} bytes"), way_out)
            .because("too_large", way_out);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, body)
    }

    pub(super) fn slow_body() -> Self {
        let body = ErrorBody::told(REFUSED, "the body did not arrive in time", "send it again")
            .because("slow_body", "send it again");
        Self::new(StatusCode::REQUEST_TIMEOUT, body)
    }

    pub(super) fn broken_body() -> Self {
        let body = ErrorBody::told(REFUSED, "the body did not arrive whole", "send it again")
            .because("broken_body", "send it again");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn content_type() -> Self {
        let way_out = "send Content-Type: application/json";
        let body = ErrorBody::told(REFUSED, "the content type is not JSON", way_out).because("content_type", way_out);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, body)
    }

    pub(super) fn content_encoding() -> Self {
        let way_out = "send it as it is, without Content-Encoding";
        let body = ErrorBody::told(REFUSED, "the body is compressed", way_out).because("content_encoding", way_out);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, body)
    }

    pub(super) fn not_acceptable() -> Self {
        let way_out = "send Accept: application/json, text/event-stream";
        let body = ErrorBody::told(REFUSED, "the Accept header leaves neither JSON nor an event stream", way_out)
            .because("not_acceptable", way_out);
        Self::new(StatusCode::NOT_ACCEPTABLE, body)
    }

    pub(super) fn method(takes: &'static str) -> Self {
        let (message, hint) = if takes == MCP_METHODS {
            (
                "this endpoint takes POST and DELETE, and has no stream of its own to GET; connect an MCP client to it, as \
                 Streamable HTTP",
                "POST JSON-RPC messages; DELETE ends a session",
            )
        } else {
            ("this is to be read with GET; an MCP client connects to /mcp", "the MCP endpoint is /mcp")
        };
        let body = ErrorBody::new(REFUSED, message).because("method_not_allowed", hint);
        Self { allow: Some(takes), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, body) }
    }

    pub(super) fn no_such_route() -> Self {
        let way_out = "the MCP endpoint is /mcp: mend the address in the client's settings";
        let body = ErrorBody::told(REFUSED, "there is nothing here", way_out)
            .because("not_found", "the MCP endpoint is /mcp; also /health, /healthz, /readyz, /metrics and /");
        Self::new(StatusCode::NOT_FOUND, body)
    }

    pub(super) fn modern() -> Self {
        let fact = "this server speaks MCP revisions up to 2025-11-25";
        let body = ErrorBody::told(REFUSED, fact, "let the client fall back to initialize")
            .because("legacy_only", "fall back to initialize");
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn version() -> Self {
        let fact = "the MCP-Protocol-Version header names a revision that this server does not speak";
        let way_out = "use the revision that initialize agreed on, or leave the header out";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("unsupported_version", way_out);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn two_sessions() -> Self {
        let way_out = "send Mcp-Session-Id once; X-MCP-Session-Id is an alias of it";
        let body = ErrorBody::told(REFUSED, "two session ids that differ", way_out).because("two_sessions", way_out);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    /// It begins with the sentence that clients of the original know, so that they see it for what it is.
    pub(super) fn no_session() -> Self {
        let body = ErrorBody::told(REFUSED, "Bad Request: No valid session ID provided", RECONNECT)
            .because("session_required", INITIALIZE);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn batch() -> Self {
        let way_out = "send one message a request";
        let body = ErrorBody::told(INVALID_REQUEST, "batches are of revision 2025-03-26 alone", way_out)
            .because("batch", way_out);
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn busy(fact: &'static str) -> Self {
        let way_out = "try again in a moment; the session is kept";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("unavailable", way_out);
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
        let body = ErrorBody::told(REFUSED, format_args!("No new session: {cap}"), hint).because(reason, hint);
        Self { retry_after: Some(seconds), ..Self::new(status, body) }
    }

    pub(super) fn panicked() -> Self {
        let way_out = "tell its operator, whose log says more; the session is kept";
        let body = ErrorBody::told(INTERNAL_ERROR, "this request broke on the server's side", way_out)
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
            let body = ErrorBody::told(SESSION_NOT_FOUND, message, RECONNECT).because(reason, INITIALIZE);
            Self::new(StatusCode::NOT_FOUND, body)
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

/// The option that would let a name in: the name itself where the option takes it, `like` this where it does not, and none
/// for what is no name at all, which nobody should copy into a command.
fn flag(option: &str, name: &[u8], like: &str, is_taken: bool) -> Option<String> {
    let is_shown_whole = name.len() <= SHOWN && name.iter().all(u8::is_ascii_graphic);
    // A star would let in more than who has asked.
    let name = if is_taken && !name.contains(&b'*') { shown(name) } else { like.to_owned() };
    is_shown_whole.then(|| format!("{option} {name}"))
}

/// What a client sent, fit for an answer and a log: no line breaks, and not too long.
fn shown(value: &[u8]) -> String {
    let visible = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
    value.iter().take(SHOWN).map(visible).collect()
}
