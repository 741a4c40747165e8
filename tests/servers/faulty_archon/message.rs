//! What goes through the proxy, whole.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(crate) const ARCHON: HeaderName = HeaderName::from_static("x-archon-session-id");

/// A request or an answer, whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn set_json(&mut self, json: &Value) {
        self.body = json.to_string().into_bytes();
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
    }

    pub(crate) fn is(&self, method: &str) -> bool {
        self.json()["method"] == method
    }
}

/// An answer of our own.
pub(crate) fn answer(status: u16, reason: &str) -> Message {
    if status == 204 {
        return Message { status: StatusCode::NO_CONTENT, ..Message::default() };
    }
    let error = json!({"code": -32000, "message": reason, "data": {"reason": reason, "hint": "none"}});
    let mut message = Message { status: StatusCode::from_u16(status).expect("a status"), ..Message::default() };
    message.set(http::header::CONTENT_TYPE, "application/json");
    message.set_json(&json!({"jsonrpc": "2.0", "id": null, "error": error}));
    message
}
