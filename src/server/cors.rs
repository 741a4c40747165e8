//! CORS: what a browser must be told before a page may use us (the Fetch standard, 3.2). Only pages that are let in are
//! told anything, on every answer, refusals too: else their script sees a broken connection instead of what is wrong.

use axum::body::Body;
use axum::response::Response;
use http::header::Entry;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::guard::Page;
use super::headers::members;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
/// What our clients send. A page that is let in may send others, too: it says which.
const SENT: &str = "accept, authorization, content-type, last-event-id, mcp-protocol-version, mcp-session-id, \
     x-archon-session-id, x-mcp-session-id";
/// What a script may read of an answer beyond the few that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Mcp-Session-Id, X-Archon-Session-Id, X-Archon-Record, MCP-Protocol-Version, Retry-After, WWW-Authenticate, Allow",
);
/// For how long a browser need not ask again, in seconds. The longest that Chromium takes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
/// What a preflight's answer depends on.
const ASKED: HeaderValue = HeaderValue::from_static(
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
);
/// A page of the internet asks whether it may speak to a machine of a private network.
const REQUEST_PRIVATE_NETWORK: &str = "access-control-request-private-network";
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const REQUEST_HEADERS: &str = "access-control-request-headers";

/// Whether a browser asks what it may send.
pub(super) fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(ORIGIN)
        && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that, for a page that is let in; [`add_headers`] adds the rest.
pub(super) fn preflight(request: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Ok(names) = HeaderValue::from_str(&header_names(request)) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, ASKED);
    if members(request, REQUEST_PRIVATE_NETWORK).any(|value| value.eq_ignore_ascii_case(b"true")) {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    response
}

/// Ours, and those that the page asks for.
fn header_names(request: &HeaderMap) -> String {
    let mut names = SENT.to_owned();
    for asked in members(request, REQUEST_HEADERS).filter_map(|name| HeaderName::from_bytes(name).ok()) {
        if !names.split(", ").any(|known| known == asked.as_str()) {
            names.extend([", ", asked.as_str()]);
        }
    }
    names
}

/// Adds to an answer what the page's browser must know. Another page's answer would be another one, and so would one to no
/// page: caches are told, on every answer, since there are always pages that are let in.
pub(super) fn add_headers(page: Page, headers: &mut HeaderMap) {
    if let Entry::Vacant(vary) = headers.entry(VARY) {
        vary.insert(HeaderValue::from_static("Origin"));
    }
    if let Page::Allowed(Some(origin)) = page {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
