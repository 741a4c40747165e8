//! Streams of server-sent events: messages as they come, and a comment now and then, so that neither clients nor proxies
//! give up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::timeout;

use super::reply::Reply;
use crate::mcp::{Engine, Outlet, Said, Stream};
use crate::model::principal::Principal;
use crate::protocol::header;

/// Between keep-alives of a silent stream: shorter than the idle time of common proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const ALIVE: &[u8] = b": keep-alive\n\n";

/// An answer as a stream of one event, for a client that reads nothing else. An error keeps its status and is JSON.
pub(super) fn one(reply: Reply) -> Response {
    if reply.status != StatusCode::OK || reply.body.is_empty() {
        return reply.into_response();
    }
    response(reply.headers(), Body::from(last_event(&reply)))
}

/// Messages, and the answer as the last event: an error too, because the status has left already.
pub(super) fn answering(stream: Stream) -> Response {
    let headers = Reply { archon: Some(stream.archon()), ..Reply::default() }.headers();
    let events = stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        let said = timeout(KEEP_ALIVE, stream.next()).await;
        let (event, goes_on) = match said {
            Err(_) => (Bytes::from_static(ALIVE), true),
            Ok(Some(Said::Message(message))) => (event(&message), true),
            Ok(Some(Said::Answer(answer))) => (last_event(&answer.into()), false),
            Ok(None) => return None,
        };
        Some((Ok::<_, Infallible>(event), goes_on.then_some(stream)))
    });
    response(headers, Body::from_stream(events))
}

/// What a client hears while it holds a stream open.
pub(super) fn listening(engine: Arc<Engine>, outlet: Outlet, principal: Principal) -> Response {
    let headers = Reply { archon: Some(outlet.session().archon_id()), ..Reply::default() }.headers();
    // The head leaves with the first bytes of the body, and the client waits for it.
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b": listening\n\n")) });
    let events = stream::unfold((engine, outlet, principal), |(engine, mut outlet, principal)| async {
        let event = match timeout(KEEP_ALIVE, outlet.next()).await {
            Ok(message) => event(&message?),
            Err(_) if engine.keep_listening(&outlet, &principal).await => Bytes::from_static(ALIVE),
            Err(_) => return None,
        };
        Some((Ok(event), (engine, outlet, principal)))
    });
    let mut response = response(headers, Body::from_stream(futures_util::StreamExt::chain(first, events)));
    // It ends when the server stops: a client that went on using its connection would meet it just being closed.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An event of one message. It has no id yet: nothing keeps it for a client that comes back for it.
fn event(message: &[u8]) -> Bytes {
    // Our JSON has no line breaks: one `data:` line holds it.
    [b"event: message\ndata: ", message, b"\n\n"].concat().into()
}

/// The answer as an event. What its header would say of its row stands before it as a comment, which clients of streams
/// pass over: the headers of a stream have left before the row could be written.
fn last_event(reply: &Reply) -> Bytes {
    let comment = reply.recorded.as_header().map(|text| format!(": {}: {text}\n", header::RECORD)).unwrap_or_default();
    [comment.as_bytes(), &event(&reply.body)].concat().into()
}

fn response(mut headers: HeaderMap, body: Body) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer would hold the keep-alives back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}
