//! What a tool that did its work answers: one JSON object, serialised once.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::error::{ErrorKind, ToolError};

/// A JSON object. Its text is both the text content and, where the revision has it, the `structuredContent`.
#[derive(Debug, Clone)]
pub struct ToolOutput(Box<RawValue>);

impl ToolOutput {
    /// The object that a value serialises to.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResponse`] when it serialises to no object, or not at all.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, ToolError> {
        let raw = to_raw_value(value).map_err(|e| no_object(&format!("it cannot be written: {e}")))?;
        Self::from_raw(raw)
    }

    /// JSON that is there already.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResponse`] when it is no object.
    pub fn from_raw(raw: Box<RawValue>) -> Result<Self, ToolError> {
        // A raw value begins with its first token.
        if raw.get().starts_with('{') { Ok(Self(raw)) } else { Err(no_object("it is not an object")) }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The object, for `structuredContent`.
    pub fn into_raw(self) -> Box<RawValue> {
        self.0
    }
}

fn no_object(why: &str) -> ToolError {
    ToolError::new(ErrorKind::InvalidResponse, format!("the tool's answer is unusable: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_object() {
        let output = ToolOutput::of(&serde_json::json!({"a": 1})).expect("an object");
        assert_eq!(output.as_str(), r#"{"a":1}"#);
        assert_eq!(output.into_raw().get(), r#"{"a":1}"#);
        for no_object in [serde_json::json!([1]), serde_json::json!("x"), serde_json::Value::Null] {
            assert_eq!(ToolOutput::of(&no_object).expect_err("refused").kind(), ErrorKind::InvalidResponse);
        }
    }
}
