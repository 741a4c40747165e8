//! Every refusal by the rules of HTTP: its status, and a JSON-RPC body that says what happened and what to do next.

use http::StatusCode;

use super::origin::OriginPattern;
use super::patterns::HostPattern;
use crate::model::refused::Reason;
use crate::protocol::error::{ErrorBody, REFUSED};

/// A request that is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) status: StatusCode,
    pub(super) body: ErrorBody,
    /// The methods that the place takes.
    pub(super) allow: Option<&'static str>,
    /// Seconds after which to come back.
    pub(super) retry_after: Option<u32>,
}

/// The number of characters of a name that are shown: the longest that DNS has.
const SHOWN: usize = 253;
/// What the MCP endpoint takes.
pub(super) const MCP_METHODS: &str = "GET, POST, DELETE";

impl Refusal {
    fn new(status: StatusCode, reason: Reason, body: ErrorBody) -> Self {
        Self { reason, status, body, allow: None, retry_after: None }
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
        Self::foreign(Reason::ForeignHost, fact, flag.as_deref(), "127.0.0.1 or localhost")
    }

    /// A page that is not let in.
    pub(super) fn foreign_origin(origin: &[u8]) -> Self {
        let name = shown(origin);
        let fact = format!("pages from {} may not use this server", if name.is_empty() { "nowhere" } else { &name });
        let flag = flag("--allow-origin", origin, "https://HOST", OriginPattern::parse(&name).is_ok());
        Self::foreign(Reason::ForeignOrigin, fact, flag.as_deref(), "a page on localhost")
    }

    fn foreign(reason: Reason, fact: impl std::fmt::Display, flag: Option<&str>, own: &str) -> Self {
        let (way_out, hint) = match flag {
            Some(flag) => (
                format!("use {own}, or ask its operator to start it with {flag}"),
                format!("use {own}, or start the server with {flag}"),
            ),
            None => (format!("use {own}"), format!("use {own}")),
        };
        Self::new(StatusCode::FORBIDDEN, reason, ErrorBody::told(REFUSED, fact, &way_out).because("foreign_host", hint))
    }

    /// RFC 9112, 3.2: one Host header, and a host in it.
    pub(super) fn bad_host(fact: &'static str) -> Self {
        let way_out = "send one Host header with the server's address";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("bad_host", way_out);
        Self::new(StatusCode::BAD_REQUEST, Reason::BadRequest, body)
    }

    pub(super) fn unauthorized(reason: Reason, fact: &'static str) -> Self {
        let way_out = "get a token from this server's operator, and let the client send it as the header Authorization: \
             Bearer TOKEN";
        let body = ErrorBody::told(REFUSED, fact, way_out)
            .because("unauthorized", "send Authorization: Bearer TOKEN with a token of this server's token file");
        Self::new(StatusCode::UNAUTHORIZED, reason, body)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let way_out = "send less in one message";
        let body = ErrorBody::told(REFUSED, format_args!("the body is larger than {limit} bytes"), way_out)
            .because("too_large", way_out);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Reason::BadRequest, body)
    }

    /// All clients together, or this one, have as many bytes on their way as may be.
    pub(super) fn no_room() -> Self {
        let way_out = "send it again in a moment, or less at once";
        let fact = "the server has as many requests in memory as it takes";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("no_room", way_out);
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::TooMany, body) }
    }

    pub(super) fn too_many_at_once() -> Self {
        let way_out = "wait for the answers of some, or close streams that nobody reads";
        let fact = "as many requests of this client run as may run at once";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("too_many_requests", way_out);
        Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooMany, body) }
    }

    pub(super) fn slow_body() -> Self {
        let body = ErrorBody::told(REFUSED, "the body did not arrive in time", "send it again")
            .because("slow_body", "send it again");
        Self::new(StatusCode::REQUEST_TIMEOUT, Reason::BadRequest, body)
    }

    pub(super) fn broken_body() -> Self {
        let body = ErrorBody::told(REFUSED, "the body did not arrive whole", "send it again")
            .because("broken_body", "send it again");
        Self::new(StatusCode::BAD_REQUEST, Reason::BadRequest, body)
    }

    pub(super) fn content_type() -> Self {
        let way_out = "send Content-Type: application/json";
        let body = ErrorBody::told(REFUSED, "the content type is not JSON", way_out).because("content_type", way_out);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Reason::BadRequest, body)
    }

    pub(super) fn content_encoding() -> Self {
        let way_out = "send it as it is, without Content-Encoding";
        let body = ErrorBody::told(REFUSED, "the body is compressed", way_out).because("content_encoding", way_out);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Reason::BadRequest, body)
    }

    pub(super) fn not_acceptable() -> Self {
        let way_out = "send Accept: application/json, text/event-stream";
        let body = ErrorBody::told(REFUSED, "the Accept header leaves neither JSON nor an event stream", way_out)
            .because("not_acceptable", way_out);
        Self::new(StatusCode::NOT_ACCEPTABLE, Reason::BadRequest, body)
    }

    pub(super) fn method(takes: &'static str) -> Self {
        let (message, hint) = if takes == MCP_METHODS {
            (
                "this endpoint is for MCP clients; connect one to it, as Streamable HTTP",
                "POST JSON-RPC messages; GET with a session id opens an event stream; DELETE ends a session",
            )
        } else {
            ("this is to be read with GET; an MCP client connects to /mcp", "the MCP endpoint is /mcp")
        };
        let body = ErrorBody::new(REFUSED, message).because("method_not_allowed", hint);
        Self { allow: Some(takes), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, Reason::BadRequest, body) }
    }

    pub(super) fn no_such_route() -> Self {
        let way_out = "the MCP endpoint is /mcp: mend the address in the client's settings";
        let body = ErrorBody::told(REFUSED, "there is nothing here", way_out)
            .because("not_found", "the MCP endpoint is /mcp; also /health, /healthz, /readyz, /metrics and /");
        Self::new(StatusCode::NOT_FOUND, Reason::BadRequest, body)
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
