//! What a resource contains: a text, or bytes (server/resources, "Resource Contents").

use serde::Serialize;

/// The contents of a resource, or of one part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Which resource.
    pub uri: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// A text, or bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// A text.
    Text(String),
    /// Bytes in base 64.
    Blob(String),
}

impl Contents {
    /// A text.
    pub fn text(uri: &str, mime_type: Option<&str>, text: impl Into<String>) -> Self {
        Self { uri: uri.to_owned(), mime_type: mime_type.map(str::to_owned), body: Body::Text(text.into()) }
    }

    /// Bytes in base 64.
    pub fn blob(uri: &str, mime_type: Option<&str>, base64: impl Into<String>) -> Self {
        Self { uri: uri.to_owned(), mime_type: mime_type.map(str::to_owned), body: Body::Blob(base64.into()) }
    }
}
