//! The JSON-RPC envelope, borrowed from the bytes of the body: what we do not need to read stays raw.
//!
//! Raw values are skipped over without recursion, so a body nested ten thousand deep costs its length and no stack.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{ErrorBody, INVALID_REQUEST, PARSE_ERROR};
use super::number::whole;

const NEEDED: &str = "send one JSON-RPC message as UTF-8 JSON";
/// More messages than this in one batch are refused (our bound; the specification names none).
pub const MAX_BATCH: usize = 100;
/// A request id longer than this is refused, because every answer and log line echoes it (our bound, in bytes).
pub const MAX_ID_BYTES: usize = 512;

/// One JSON-RPC message.
#[derive(Debug, Clone)]
pub enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notification<'a>),
    /// Answers a request of ours.
    Response(Response<'a>),
}

/// A JSON-RPC response.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// Which request it answers; none where its sender could not read that.
    pub id: Option<&'a RawValue>,
    /// The result, or else the error object; both unread.
    pub outcome: Result<&'a RawValue, &'a RawValue>,
}

/// A JSON-RPC request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// A string or a number, echoed byte for byte.
    pub id: &'a RawValue,
    /// The method's name.
    pub method: Cow<'a, str>,
    /// The parameters, unread.
    pub params: Option<&'a RawValue>,
}

impl<'a> Request<'a> {
    /// The parameters as a `T`. They come by name: serde alone would take a list for the members in their order.
    ///
    /// # Errors
    /// One sentence, when there are none or they do not fit.
    pub fn read_params<T: Deserialize<'a>>(&self) -> Result<T, String> {
        match self.params {
            Some(params) if is_object(params.get()) => {
                T::deserialize(params).map_err(|error| format!("{}: {error}", self.method))
            }
            Some(_) => Err(format!("{}: params must be an object", self.method)),
            None => Err(format!("{} needs params", self.method)),
        }
    }
}

/// A JSON-RPC notification.
#[derive(Debug, Clone)]
pub struct Notification<'a> {
    /// The method's name.
    pub method: Cow<'a, str>,
    /// The parameters, unread.
    pub params: Option<&'a RawValue>,
}

/// A body: one message, or a batch of them (2025-03-26 only).
#[derive(Debug)]
pub enum Body<'a> {
    /// One message.
    Single(Message<'a>),
    /// A batch; each member is judged for itself.
    Batch(Vec<Result<Message<'a>, FrameError>>),
}

/// Why a frame is refused, with the request's id where it could be read.
#[derive(Debug, Clone)]
pub struct FrameError {
    /// The id to echo, as raw JSON.
    pub id: Option<String>,
    /// What the client is told.
    pub body: ErrorBody,
}

#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Keeps `null` apart from "absent": an `"id": null` is a bad request, not a notification.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a body as one message or a batch.
///
/// # Errors
/// `-32700` when it is not JSON, `-32600` when it is not JSON-RPC 2.0 or the batch is empty or too long.
pub fn parse(body: &[u8]) -> Result<Body<'_>, FrameError> {
    // As a whole, and first: the parser looks at no byte of what it skips.
    let body = without_mark(str::from_utf8(body).map_err(|error| not_utf_8(body, error))?);
    if !body.starts_with('[') {
        return parse_message(body).map(Body::Single);
    }
    let members: Vec<&RawValue> = serde_json::from_str(body).map_err(|e| not_json(&e))?;
    if members.is_empty() {
        return Err(invalid(None, "the batch is empty; send at least one message"));
    }
    if members.len() > MAX_BATCH {
        return Err(invalid(None, format!("a batch holds at most {MAX_BATCH} messages; send several")));
    }
    Ok(Body::Batch(members.into_iter().map(|raw| parse_message(raw.get())).collect()))
}

/// JSON begins after a byte order mark, which RFC 8259 lets us pass over.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
}

/// The same request, of which two ids tell: a number may be written in more than one way, and so may a text.
pub fn is_same_id(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let text = |id| serde_json::from_str::<Cow<'_, str>>(id).ok();
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => text(one).is_some_and(|one| text(other) == Some(one)),
        _ => false,
    }
}

fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

fn parse_message(text: &str) -> Result<Message<'_>, FrameError> {
    let raw: RawFrame<'_> = serde_json::from_str(text).map_err(|e| misread(text, &e))?;
    // Checked after the syntax. Serde takes a list for the members in their order, and JSON-RPC does not.
    if !is_object(text) {
        return Err(invalid(None, "a message is an object; send a JSON-RPC 2.0 message"));
    }
    let is_error = raw.method.is_none() && raw.result.is_none() && raw.error.is_some();
    // Its sender could not read the id of what it answers (JSON-RPC 2.0, section 5), and wrote null for it or nothing.
    let raw_id = raw.id.filter(|id| !(is_error && id.get() == "null"));
    let id = raw_id.map(checked_id).transpose()?;
    if raw.jsonrpc.as_ref().is_none_or(|v| v.0 != "2.0") {
        return Err(invalid(id, "this is not JSON-RPC 2.0; send the member \"jsonrpc\": \"2.0\""));
    }
    match (raw.method, id) {
        (Some(method), Some(id)) => Ok(Message::Request(Request { id, method: method.0, params: raw.params })),
        (Some(method), None) => Ok(Message::Notification(Notification { method: method.0, params: raw.params })),
        (None, Some(id)) => match (raw.result, raw.error) {
            (Some(result), None) => Ok(Message::Response(Response { id: Some(id), outcome: Ok(result) })),
            (None, Some(error)) => Ok(Message::Response(Response { id: Some(id), outcome: Err(error) })),
            _ => Err(no_message(Some(id))),
        },
        (None, None) => match raw.error.filter(|_| is_error) {
            Some(error) => Ok(Message::Response(Response { id: None, outcome: Err(error) })),
            None => Err(no_message(None)),
        },
    }
}

fn no_message(id: Option<&RawValue>) -> FrameError {
    invalid(id, "this is not a message; send a \"method\", or a \"result\" or \"error\"")
}

/// MCP, basic: an id is a string or a number, never null.
fn checked_id(raw: &RawValue) -> Result<&RawValue, FrameError> {
    let text = raw.get();
    if text.len() > MAX_ID_BYTES {
        return Err(invalid(None, format!("the id is longer than {MAX_ID_BYTES} bytes; send a shorter one")));
    }
    match text.as_bytes().first() {
        // Half a surrogate pair is JSON by its grammar and a text nowhere: our answer would be as unreadable.
        Some(b'"') if text.contains("\\u") && serde_json::from_str::<Cow<'_, str>>(text).is_err() => {
            Err(invalid(None, "the id is not Unicode; send a text or a number"))
        }
        Some(b'"' | b'-' | b'0'..=b'9') => Ok(raw),
        _ => Err(invalid(None, "the id is neither a string nor a number; send one of the two")),
    }
}

/// Serde stops at the first thing that does not fit; what follows it may be no JSON at all.
fn misread(text: &str, error: &serde_json::Error) -> FrameError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => invalid(None, format!("not a JSON-RPC message: {error}; send a JSON-RPC 2.0 message")),
        Err(syntax) => not_json(&syntax),
    }
}

/// UTF-16 and UTF-32 are named: what their decoder says of the first byte helps nobody.
fn not_utf_8(body: &[u8], error: std::str::Utf8Error) -> FrameError {
    if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") || body.starts_with(b"\0\0\xfe\xff") {
        return not_json(&"it is UTF-16 or UTF-32");
    }
    not_json(&error)
}

fn not_json(error: &dyn std::fmt::Display) -> FrameError {
    let body = ErrorBody::told(PARSE_ERROR, format_args!("the body is not JSON: {error}"), NEEDED)
        .because("parse_error", NEEDED);
    FrameError { id: None, body }
}

/// `message` says what is wrong, and what to send.
fn invalid(id: Option<&RawValue>, message: impl Into<Cow<'static, str>>) -> FrameError {
    let body = ErrorBody::new(INVALID_REQUEST, message).because("invalid_request", "send a JSON-RPC 2.0 message");
    FrameError { id: id.map(|raw| raw.get().to_owned()), body }
}

#[cfg(test)]
mod tests;
