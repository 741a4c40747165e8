//! JSON Schemas from types, in the plain form that every client reads: top-level `type: object`, nothing by reference,
//! no dialect, no Rust names.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, ReplaceBoolSchemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::catalog::ErrorShape;
use crate::model::timestamp::Timestamp;

/// The schema of a tool's arguments. It is closed, because unknown names are refused; unless the type itself takes any.
pub(super) fn input<T: JsonSchema>() -> Value {
    let mut schema = object::<T>(plain());
    schema.entry("properties").or_insert_with(|| json!({}));
    schema.entry("additionalProperties").or_insert(Value::Bool(false));
    Value::Object(schema)
}

/// The schema of what a tool answers: its output, or an error. Clients hold `structuredContent` against it in either case.
pub(super) fn output<T: JsonSchema>() -> Value {
    let mut schema = object::<T>(plain().for_serialize());
    let mut forms = match schema.remove("anyOf") {
        Some(Value::Array(forms)) => forms.into_iter().map(|form| hoisted(form, &mut schema)).collect(),
        _ => vec![json!({ "required": schema.remove("required").unwrap_or_else(|| json!([])) })],
    };
    forms.push(json!({ "required": ["success", "error"] }));
    schema.insert("anyOf".into(), Value::Array(forms));
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({})) {
        let error = object::<ErrorShape<'_>>(plain().for_serialize());
        properties.insert("error".into(), Value::Object(error));
        let success = json!({ "type": "boolean", "description": "Whether the tool did what was asked." });
        properties.insert("success".into(), success);
    }
    Value::Object(schema)
}

/// Moves a form's properties to the root: there are clients that look for them nowhere else, and drop what they do not
/// find. Of the form stays what it requires.
fn hoisted(form: Value, root: &mut Map<String, Value>) -> Value {
    let Value::Object(mut form) = form else { return form };
    let required = form.remove("required").unwrap_or_else(|| json!([]));
    if let (Some(Value::Object(own)), Value::Object(all)) =
        (form.remove("properties"), root.entry("properties").or_insert_with(|| json!({})))
    {
        for (name, schema) in own {
            let merged = match all.remove(&name) {
                // What two forms call by one name is either of the two.
                Some(known) if known != schema => json!({ "anyOf": [known, schema] }),
                _ => schema,
            };
            all.insert(name, merged);
        }
    }
    json!({ "required": required })
}

fn object<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut members = match schema.to_value() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    // Name and description of the Rust type: the tool has its own.
    members.remove("title");
    members.remove("description");
    members.insert("type".into(), "object".into());
    members
}

fn plain() -> SchemaSettings {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        })
        .with_transform(RecursiveTransform(without_number_formats))
        .with_transform(anything_as_object())
}

/// "Anything" is written `{}`: the official TypeScript client refuses a whole list of tools over one property `true`.
fn anything_as_object() -> ReplaceBoolSchemas {
    let mut replace = ReplaceBoolSchemas::default();
    replace.skip_additional_properties = true;
    replace
}

/// `int64` and its like are not JSON Schema's formats; validators warn about them and some model APIs refuse them.
fn without_number_formats(schema: &mut Schema) {
    let foreign = ["int", "uint", "float", "double"];
    if schema.get("format").and_then(Value::as_str).is_some_and(|f| foreign.iter().any(|name| f.starts_with(name))) {
        schema.remove("format");
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    /// The type's own comment stays out.
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Arguments {
        /// How many.
        count: u32,
        since: Option<Timestamp>,
        anything: serde_json::Value,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Either {
        One { success: bool, one: u8, what: u8 },
        Many { success: bool, many: Vec<u8>, what: String },
        None { success: bool, what: u8 },
    }

    #[test]
    fn input_schemas_are_plain_and_closed() {
        assert_eq!(
            input::<Arguments>(),
            json!({
                "type": "object",
                "properties": {
                    "count": {"type": "integer", "minimum": 0, "description": "How many."},
                    "since": {"type": ["string", "null"], "format": "date-time"},
                    "anything": {},
                },
                "required": ["count", "anything"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn output_schemas_admit_every_form_and_the_error() {
        let schema = output::<Either>();
        assert_eq!(schema["type"], "object");
        assert_eq!(
            schema["anyOf"],
            json!([
                {"required": ["success", "one", "what"]},
                {"required": ["success", "many", "what"]},
                {"required": ["success", "what"]},
                {"required": ["success", "error"]},
            ])
        );
        let properties = schema["properties"].as_object().expect("at the root");
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["error", "many", "one", "success", "what"]);
        assert_eq!(properties["what"]["anyOf"].as_array().map(Vec::len), Some(2), "{}", properties["what"]);
        assert_eq!(schema["properties"]["error"]["required"], json!(["type", "message"]));
    }
}
