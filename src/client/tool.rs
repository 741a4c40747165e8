//! Calling a tool: what goes in, what comes out, and whether it may be done twice.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::protocol::tools::{CallToolResult, Content, ToolAnnotations};

/// A tool's arguments: a JSON document, kept byte for byte so that no digit of a number is lost on the way.
#[derive(Debug, Clone)]
pub struct Arguments(String);

impl Arguments {
    pub(super) fn as_json(&self) -> &str {
        &self.0
    }
}

impl From<Value> for Arguments {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl From<&RawValue> for Arguments {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().to_owned())
    }
}

impl From<Box<RawValue>> for Arguments {
    fn from(raw: Box<RawValue>) -> Self {
        Self::from(&*raw)
    }
}

/// Whether a request may be sent again when its connection broke midway, so that it may have run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It is idempotent: the tool says so (see [`may_repeat`]), or the caller does.
    Allowed,
    /// Once at most.
    Never,
}

/// Whether a tool's own hints allow a second call. Hints that are absent allow nothing.
pub(super) fn may_repeat(hints: Option<&ToolAnnotations>) -> bool {
    hints.is_some_and(|h| h.read_only_hint == Some(true) || h.idempotent_hint == Some(true))
}

/// What a tool answered: read, and as it came.
#[derive(Debug)]
pub struct ToolAnswer {
    /// The answer, as far as we know its members.
    pub result: CallToolResult,
    /// The whole of it, members that we do not know included.
    pub raw: Box<RawValue>,
}

impl ToolAnswer {
    /// The texts of the answer, a line break between two.
    pub fn text(&self) -> String {
        self.result.content.iter().filter_map(Content::as_text).collect::<Vec<_>>().join("\n")
    }

    /// Why the tool failed, in its own words; never empty.
    pub(super) fn failure(&self) -> String {
        if let Some(message) = self.error_member("message") {
            return message;
        }
        let text = self.text();
        if text.trim().is_empty() { "the tool failed and does not say why".to_owned() } else { text }
    }

    /// What the tool suggests to do about its failure.
    pub(super) fn suggestion(&self) -> Option<String> {
        self.error_member("suggestion")
    }

    /// A failure may be JSON, as those of our own tools are: `{"error": {"message", "suggestion"}}`.
    fn error_member(&self, name: &str) -> Option<String> {
        let failure: Value = serde_json::from_str(&self.text()).ok()?;
        failure["error"][name].as_str().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_call_needs_a_hint() {
        let hints = |read_only_hint, idempotent_hint| ToolAnnotations {
            read_only_hint,
            idempotent_hint,
            ..ToolAnnotations::default()
        };
        for (hints, allowed) in [
            (None, false),
            (Some(hints(None, None)), false),
            (Some(hints(Some(false), Some(false))), false),
            (Some(hints(Some(true), None)), true),
            (Some(hints(Some(false), Some(true))), true),
        ] {
            assert_eq!(may_repeat(hints.as_ref()), allowed, "{hints:?}");
        }
    }
}
