//! One entry of a list, as its owner wrote it: members that we do not know are kept, in their order.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::raw;

/// What is listed. Each kind has a list and a name for its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `tools/list`, by `name`.
    Tool,
    /// `resources/list`, by `uri`.
    Resource,
    /// `resources/templates/list`, by `uriTemplate`.
    Template,
    /// `prompts/list`, by `name`.
    Prompt,
}

impl Kind {
    /// The member by which a client names an entry.
    const fn key(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
            Self::Template => "uriTemplate",
        }
    }

    /// The member of the list's result that holds the entries.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Resource => "resources",
            Self::Template => "resourceTemplates",
            Self::Prompt => "prompts",
        }
    }
}

/// A listed tool, resource, template or prompt.
#[derive(Debug, Clone)]
pub struct Entry {
    key: Arc<str>,
    raw: Box<RawValue>,
}

impl Entry {
    /// An entry of our own, under the name that stands in it.
    pub fn named<T: Serialize + ?Sized>(key: &str, value: &T) -> Self {
        // What we describe is made of texts: writing it to memory cannot fail.
        Self { key: Arc::from(key), raw: to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()) }
    }

    /// The entry as another server wrote it.
    ///
    /// # Errors
    /// One sentence, when it is no object, or has nothing to name it by.
    pub fn from_raw(kind: Kind, raw: Box<RawValue>) -> Result<Self, String> {
        let key = raw::text_member(&raw, kind.key()).ok_or_else(|| format!("an entry needs a {}", kind.key()))?;
        Ok(Self { key: Arc::from(key), raw })
    }

    /// What a client names it by: its name, URI or template of URIs.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The object.
    pub fn as_raw(&self) -> &RawValue {
        &self.raw
    }

    /// The same for a client of a revision that does not know these members.
    pub(super) fn without(&self, members: &[&str]) -> Self {
        Self { key: self.key.clone(), raw: raw::without(&self.raw, members) }
    }
}
