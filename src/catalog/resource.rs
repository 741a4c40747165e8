//! Resources: what a client reads by its URI (server/resources).

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Call, Completing, Completion, Entry, ToolError};

/// Something that a client can read.
pub trait Resource: Send + Sync {
    /// Its entry in `resources/list`. Asked for once, when it joins a catalogue.
    fn entry(&self) -> Entry;

    /// What it contains now.
    fn read<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>>;
}

/// A family of resources whose URIs follow a template (RFC 6570).
pub trait ResourceTemplate: Send + Sync {
    /// Its entry in `resources/templates/list`. Asked for once, when it joins a catalogue.
    fn entry(&self) -> Entry;

    /// Whether this URI follows the template.
    fn matches(&self, uri: &str) -> bool;

    /// What the resource of this URI contains now.
    fn read<'a>(&'a self, uri: &'a str, call: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>>;

    /// Values for a variable of the template, from what its user has typed. None unless a template says so.
    fn complete<'a>(&'a self, _: Completing<'a>) -> BoxFuture<'a, Completion> {
        Box::pin(async { Completion::default() })
    }
}

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
