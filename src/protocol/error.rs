//! JSON-RPC errors: the codes we use and the body that says what happened and what to do next.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The body is not JSON (JSON-RPC 2.0, section 5.1).
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a JSON-RPC request.
pub const INVALID_REQUEST: i32 = -32600;
/// No such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters do not fit the method; also an unknown tool.
pub const INVALID_PARAMS: i32 = -32602;
/// Something broke on our side.
pub const INTERNAL_ERROR: i32 = -32603;
/// There is no such resource (server/resources, "Error Handling").
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// The transport refuses the request; `data.reason` says which rule. The SDKs of the legacy era use this code likewise.
pub const REFUSED: i32 = -32000;
/// The session is unknown or has ended; what the official SDKs send with HTTP 404.
pub const SESSION_NOT_FOUND: i32 = -32001;

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One of the constants of this file, or another server's code.
    pub code: i32,
    /// What happened, and the way out, for a person: most clients show nothing else.
    pub message: Cow<'static, str>,
    /// What a program can act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<ErrorData>>,
}

/// The `data` of our errors: a stable word, and the way out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// A stable word for programs, such as `session_ended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// When the session ended (RFC 3339, UTC), where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Who ended the session, where it is known: `client`, `server`, `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'static, str>>,
}

impl ErrorBody {
    /// An error without data.
    pub fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// An error for the person in front of the client: what happened, and what to do about it.
    pub fn told(code: i32, fact: impl std::fmt::Display, way_out: &str) -> Self {
        Self::new(code, format!("{fact}; {way_out}"))
    }

    /// The same error with a stable reason and the way out, for a program and whoever writes one.
    #[must_use]
    pub fn because(mut self, reason: &'static str, hint: impl Into<Cow<'static, str>>) -> Self {
        let data = self.data.get_or_insert_default();
        data.reason = Some(Cow::Borrowed(reason));
        data.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}
