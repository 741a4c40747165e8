//! What an answer must look like.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor, value::MapAccessDeserializer};
use serde_json::Value;

use super::value::{Pattern, StatusRule, Time};

/// What is expected of the answer to a step. All of it must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The HTTP status: 200, "4xx", or a list of them [default: 200 for a request, 202 for a notification, else 2xx].
    pub status: Option<StatusRule>,
    /// Headers of the answer by name.
    pub headers: BTreeMap<String, Condition>,
    /// Places in the JSON of the answer (of an event stream: of its last message), by JSON pointer; "" is the whole.
    pub json: BTreeMap<String, Condition>,
    /// The whole body as text.
    pub body: Option<Condition>,
    /// How long the answer may take.
    pub duration: Option<Bounds>,
    /// `sql`: exactly these rows, each value as text; NULL is the text "NULL".
    pub rows: Option<Vec<Vec<Value>>>,
}

/// Bounds of a time.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Not less.
    pub at_least: Option<Time>,
    /// Not more.
    pub at_most: Option<Time>,
}

/// What a value must be: a literal that it equals, or a table of conditions.
#[derive(Debug, Clone)]
pub struct Condition(pub Conditions);

/// Conditions on one value. All of them must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    /// It is this.
    pub equals: Option<Value>,
    /// It is not this.
    pub differs: Option<Value>,
    /// It is one of these.
    pub one_of: Option<Vec<Value>>,
    /// It is of this JSON type.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// It is a text in which this regular expression is found.
    pub matches: Option<Pattern>,
    /// It is a text, list or object of this length.
    pub length: Option<usize>,
    /// It is a text with this in it, a list with this element, or an object with this key.
    pub contains: Option<Value>,
    /// It is a number, and not less.
    pub at_least: Option<f64>,
    /// It is a number, and not more.
    pub at_most: Option<f64>,
    /// Whether there is no such value.
    pub absent: Option<bool>,
    /// Whether there is such a value, whatever it is.
    pub present: Option<bool>,
}

/// A type of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// Whether a value is of this type.
    pub fn is(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        })
    }
}

struct ConditionVisitor;

impl ConditionVisitor {
    fn equal(value: impl Into<Value>) -> Conditions {
        Conditions { equals: Some(value.into()), ..Conditions::default() }
    }
}

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Conditions;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value to equal, or a table such as { matches = \"…\" }")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Conditions, E> {
        Ok(Self::equal(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Conditions, E> {
        Ok(Self::equal(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Conditions, E> {
        Ok(Self::equal(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Conditions, E> {
        Ok(Self::equal(value))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Conditions, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<Value>()? {
            values.push(value);
        }
        Ok(Self::equal(values))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Conditions, A::Error> {
        Conditions::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ConditionVisitor).map(Self)
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<Conditions>();
        json_schema!({"anyOf": [{"type": ["boolean", "number", "string", "array"]}, table]})
    }
}
