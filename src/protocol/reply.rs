//! Writing JSON-RPC answers: straight into one buffer, because a small answer leaves in one write.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{ErrorBody, INTERNAL_ERROR};

/// An answer as a client reads it.
#[derive(Debug, Deserialize)]
pub struct Reply {
    /// Whose answer it is; null or absent when the server could not read the request.
    #[serde(default)]
    pub id: Option<Box<RawValue>>,
    /// The result, unread.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// Or the error.
    #[serde(default)]
    pub error: Option<ForeignError>,
}

/// An error of any server: `data` may be anything.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct ForeignError {
    /// The code.
    pub code: i64,
    /// The sentence.
    #[serde(default)]
    pub message: String,
    /// Whatever the server adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// `{"jsonrpc":"2.0","id":…,"result":…}`.
pub fn result<T: Serialize + ?Sized>(id: &RawValue, result: &T) -> Vec<u8> {
    let mut out = open(id.get(), ",\"result\":");
    match serde_json::to_writer(&mut out, result) {
        Ok(()) => {
            out.push(b'}');
            out
        }
        Err(e) => error(Some(id.get()), &ErrorBody::new(INTERNAL_ERROR, format!("the result cannot be written: {e}"))),
    }
}

/// `{"jsonrpc":"2.0","id":…,"error":…}`; the id is null when the request's could not be read (JSON-RPC 2.0, section 5).
pub fn error(id: Option<&str>, body: &ErrorBody) -> Vec<u8> {
    let mut out = open(id.unwrap_or("null"), ",\"error\":");
    // An `ErrorBody` holds texts and a number: writing it to memory cannot fail.
    serde_json::to_writer(&mut out, body).unwrap_or_default();
    out.push(b'}');
    out
}

fn open(id: &str, member: &str) -> Vec<u8> {
    // A page's quarter: most answers fit in without growing.
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(member.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_results_and_errors() {
        let id = RawValue::from_string("\"a\"".into()).expect("raw");
        assert_eq!(result(&id, &1), br#"{"jsonrpc":"2.0","id":"a","result":1}"#);
        let body = ErrorBody::new(-32000, "no").because("why", "do this");
        let text = String::from_utf8(error(None, &body)).expect("utf-8");
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no","data":{"reason":"why","hint":"do this"}}}"#
        );
    }
}
