//! What a tool that did its work answers.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::content::Content;
use super::error::{ErrorKind, ToolError};

/// The answer of a tool, of any kind that the specification has.
#[derive(Debug, Clone)]
pub struct ToolOutput(Form);

#[derive(Debug, Clone)]
enum Form {
    /// A JSON object: its text is both the text content and, where the revision has it, the `structuredContent`.
    Object(Box<RawValue>),
    /// Pieces of content, and an object beside them or none.
    Parts(Vec<Content>, Option<Box<RawValue>>),
    /// A whole result, as another server wrote it.
    Result(Box<RawValue>),
}

/// `result` of `tools/call`, borrowed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: Parts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    is_error: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parts<'a> {
    Text([Text<'a>; 1]),
    Any(&'a [Content]),
}

#[derive(Serialize)]
struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

/// The result of `tools/call` that an output makes, written where it is wanted.
pub(crate) struct Written<'a> {
    form: Result<CallResult<'a>, &'a RawValue>,
}

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.form {
            Ok(result) => result.serialize(serializer),
            Err(raw) => raw.serialize(serializer),
        }
    }
}

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
        if raw.get().starts_with('{') { Ok(Self::object(raw)) } else { Err(no_object("it is not an object")) }
    }

    fn object(raw: Box<RawValue>) -> Self {
        Self(Form::Object(raw))
    }

    /// One text.
    pub fn text(text: &str) -> Self {
        Self::parts(vec![Content::text(text)])
    }

    /// Texts, images, sounds, links: whatever a model reads.
    pub fn parts(content: Vec<Content>) -> Self {
        Self(Form::Parts(content, None))
    }

    /// The same, with an object for programs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResponse`] when it serialises to no object.
    pub fn parts_with<T: Serialize + ?Sized>(content: Vec<Content>, structured: &T) -> Result<Self, ToolError> {
        match Self::of(structured)?.0 {
            Form::Object(object) => Ok(Self(Form::Parts(content, Some(object)))),
            _ => Err(no_object("it is not an object")),
        }
    }

    /// A whole `result` of `tools/call`, passed through as it is.
    pub fn passed_through(result: Box<RawValue>) -> Self {
        Self(Form::Result(result))
    }

    /// What a model reads of it, as JSON: the object's text, the pieces, or the result.
    pub fn as_json(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Object(raw) | Form::Result(raw) => Cow::Borrowed(raw.get()),
            // Raw JSON: writing it to memory cannot fail.
            Form::Parts(content, _) => Cow::Owned(serde_json::to_string(content).unwrap_or_default()),
        }
    }

    /// The `result` of `tools/call`; `structured` where the revision has `structuredContent`.
    pub(crate) fn result(&self, is_error: bool, structured: bool) -> Written<'_> {
        let form = match &self.0 {
            Form::Object(raw) => Ok(CallResult {
                content: Parts::Text([Text { kind: "text", text: raw.get() }]),
                structured_content: structured.then_some(&**raw),
                is_error,
            }),
            Form::Parts(content, object) => Ok(CallResult {
                content: Parts::Any(content),
                structured_content: object.as_deref().filter(|_| structured),
                is_error,
            }),
            Form::Result(raw) => Err(&**raw),
        };
        Written { form }
    }
}

/// What the caller of a tool that failed reads.
impl From<&ToolError> for ToolOutput {
    fn from(error: &ToolError) -> Self {
        Self::object(error.body())
    }
}

fn no_object(why: &str) -> ToolError {
    ToolError::new(ErrorKind::InvalidResponse, format!("the tool's answer is unusable: {why}"))
        .in_short("the tool's answer is unusable")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(output: &ToolOutput, structured: bool) -> String {
        serde_json::to_string(&output.result(false, structured)).expect("text")
    }

    #[test]
    fn an_object_is_a_text_and_an_object() {
        let output = ToolOutput::of(&serde_json::json!({"a": 1})).expect("an object");
        assert_eq!(output.as_json(), r#"{"a":1}"#);
        let both = r#"{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1},"isError":false}"#;
        assert_eq!(told(&output, true), both);
        assert_eq!(told(&output, false), r#"{"content":[{"type":"text","text":"{\"a\":1}"}],"isError":false}"#);
        for no_object in [serde_json::json!([1]), serde_json::json!("x"), serde_json::Value::Null] {
            assert_eq!(ToolOutput::of(&no_object).expect_err("refused").kind(), ErrorKind::InvalidResponse);
            let parts = ToolOutput::parts_with(Vec::new(), &no_object);
            assert_eq!(parts.expect_err("refused").kind(), ErrorKind::InvalidResponse);
        }
    }

    #[test]
    fn pieces_and_whole_results_stay_as_they_are() {
        let parts = ToolOutput::parts(vec![Content::text("a"), Content::image("aGk=", "image/png")]);
        let image = r#"{"type":"image","data":"aGk=","mimeType":"image/png"}"#;
        let expected = format!(r#"{{"content":[{{"type":"text","text":"a"}},{image}],"isError":false}}"#);
        assert_eq!(told(&parts, true), expected);
        let raw = r#"{"z":1,"content":[],"a":{"b": 2}}"#;
        let passed = ToolOutput::passed_through(RawValue::from_string(raw.to_owned()).expect("json"));
        assert_eq!(told(&passed, false), raw);
    }
}
