//! One piece of what a model reads: a text, an image, a sound, or something to be read elsewhere (server/tools, "Tool Result").

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Contents;

/// A piece of content of any kind, written down.
#[derive(Debug, Clone)]
pub struct Content(Box<RawValue>);

#[derive(Serialize)]
struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Media<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: &'a str,
    mime_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    uri: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
}

#[derive(Serialize)]
struct Embedded<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    resource: &'a Contents,
}

impl Content {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::written(&Text { kind: "text", text })
    }

    /// An image: its bytes in base 64, and its media type.
    pub fn image(base64: &str, mime_type: &str) -> Self {
        Self::written(&Media { kind: "image", data: base64, mime_type })
    }

    /// A sound, likewise (2025-03-26 and later).
    pub fn audio(base64: &str, mime_type: &str) -> Self {
        Self::written(&Media { kind: "audio", data: base64, mime_type })
    }

    /// A resource that the client may read (2025-06-18 and later).
    pub fn link(uri: &str, name: &str, mime_type: Option<&str>) -> Self {
        Self::written(&Link { kind: "resource_link", uri, name, mime_type })
    }

    /// A resource with its contents.
    pub fn embedded(resource: &Contents) -> Self {
        Self::written(&Embedded { kind: "resource", resource })
    }

    /// Whatever another server wrote.
    pub fn from_raw(raw: Box<RawValue>) -> Self {
        Self(raw)
    }

    /// The object.
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }

    fn written<T: Serialize>(value: &T) -> Self {
        // Texts: writing them to memory cannot fail.
        Self(to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_the_specification_shows_it() {
        let told = |content: Content| content.as_raw().get().to_owned();
        assert_eq!(told(Content::text("a\"b")), r#"{"type":"text","text":"a\"b"}"#);
        assert_eq!(
            told(Content::image("aGk=", "image/png")),
            r#"{"type":"image","data":"aGk=","mimeType":"image/png"}"#
        );
        assert_eq!(
            told(Content::audio("aGk=", "audio/wav")),
            r#"{"type":"audio","data":"aGk=","mimeType":"audio/wav"}"#
        );
        let link = Content::link("file:///a", "a", None);
        assert_eq!(told(link), r#"{"type":"resource_link","uri":"file:///a","name":"a"}"#);
        let embedded = Content::embedded(&Contents::text("test://a", Some("text/plain"), "hi"));
        assert_eq!(
            told(embedded),
            r#"{"type":"resource","resource":{"uri":"test://a","mimeType":"text/plain","text":"hi"}}"#
        );
    }
}
