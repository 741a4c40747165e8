//! Tools on the wire: `tools/list` and `tools/call` (server/tools).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// One entry of `tools/list`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolDescription {
    /// The name to call it by.
    pub name: Cow<'static, str>,
    /// A name for people (2025-06-18 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Cow<'static, str>>,
    /// What it does, for a model.
    #[serde(default)]
    pub description: Cow<'static, str>,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of `structuredContent` (2025-06-18 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What a client may assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ToolAnnotations>,
    /// Members that are not known here (`icons`, `_meta`, those of a vendor), as they came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Hints on a tool's nature. A client may repeat a call whose answer was lost only if one of them allows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolAnnotations {
    /// Changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// May destroy something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Twice is the same as once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// Talks to a world outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

/// `result` of `tools/list`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListToolsResult {
    /// The tools of this page.
    pub tools: Vec<ToolDescription>,
    /// Where the next page starts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `params` of `tools/call`, borrowed from the body.
#[derive(Debug, Deserialize)]
pub struct CallToolParams<'a> {
    /// Which tool.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its arguments, unread.
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
    /// What the client says about the request itself, unread.
    #[serde(rename = "_meta", borrow, default)]
    pub meta: Option<&'a RawValue>,
}

/// `result` of `tools/call`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallToolResult {
    /// What a model reads.
    #[serde(default)]
    pub content: Vec<Content>,
    /// The same as an object (2025-06-18 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Box<RawValue>>,
    /// The tool ran and failed.
    #[serde(default)]
    pub is_error: bool,
}

/// One piece of a tool's answer. Kinds we do not produce are kept as they came.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// `{"type": "text", "text": …}`.
    Text(TextContent),
    /// Image, audio, resource, or whatever comes next.
    Other(Value),
}

/// A text.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct TextContent {
    /// Always `text`.
    #[serde(rename = "type")]
    pub kind: TextKind,
    /// The text.
    pub text: String,
}

/// The constant `text`.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub enum TextKind {
    /// The only value.
    #[serde(rename = "text")]
    Text,
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent { kind: TextKind::Text, text: text.into() })
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(content) => Some(&content.text),
            Self::Other(_) => None,
        }
    }
}
