//! A form as a server sends it: a message, and fields of plain types.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::protocol::error::{ErrorBody, INVALID_PARAMS};

use super::field::Field;

/// A form.
#[derive(Debug)]
pub(in crate::cli) struct Form {
    /// What the server wants to know.
    pub(super) message: String,
    /// Its fields, in the server's order.
    pub(super) fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    requested_schema: Schema,
}

#[derive(Deserialize, Default)]
struct Schema {
    #[serde(default, deserialize_with = "in_order")]
    properties: Vec<(String, Value)>,
    #[serde(default)]
    required: Vec<String>,
}

impl Form {
    /// Reads the parameters of `elicitation/create`.
    ///
    /// # Errors
    /// When it asks in another way than by a form, or not as the specification says.
    pub(in crate::cli) fn read(params: Option<&RawValue>) -> Result<Self, ErrorBody> {
        let invalid = |why: String| ErrorBody::new(INVALID_PARAMS, why);
        let params = params.ok_or_else(|| invalid("elicitation/create needs params".to_owned()))?;
        let params: Params =
            serde_json::from_str(params.get()).map_err(|e| invalid(format!("elicitation/create: {e}")))?;
        if let Some(mode) = params.mode.filter(|mode| mode != "form") {
            return Err(invalid(format!("this client fills in forms; it did not say that it does {mode}")));
        }
        let Schema { properties, required } = params.requested_schema;
        let fields = properties.into_iter().map(|(name, schema)| {
            let is_required = required.contains(&name);
            Field::of(name, &schema, is_required)
        });
        Ok(Self { message: params.message, fields: fields.collect() })
    }

    /// The answer that has all defaults; `None` where a required field has none that it takes.
    pub(super) fn defaults(&self) -> Option<Map<String, Value>> {
        let mut content = Map::new();
        for field in &self.fields {
            match field.default() {
                Some(value) => _ = content.insert(field.name.clone(), value.clone()),
                None if field.is_required => return None,
                None => {}
            }
        }
        Some(content)
    }
}

/// The members of an object as they came: people read a form from the top.
fn in_order<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Value)>, D::Error> {
    struct Members;

    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    deserializer.deserialize_map(Members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(params: &Value) -> Result<Form, ErrorBody> {
        Form::read(Some(&RawValue::from_string(params.to_string()).expect("JSON")))
    }

    fn form(properties: &str, required: &[&str]) -> Form {
        let schema = format!(r#"{{"properties": {properties}, "required": {}}}"#, json!(required));
        let params = format!(r#"{{"message": "who?", "requestedSchema": {schema}}}"#);
        Form::read(Some(&RawValue::from_string(params).expect("JSON"))).expect("a form")
    }

    #[test]
    fn the_fields_are_in_the_servers_order() {
        let form = form(r#"{"z": {"type": "string"}, "a": {"type": "boolean"}}"#, &["a"]);
        let fields: Vec<_> = form.fields.iter().map(|f| (f.name.as_str(), f.is_required)).collect();
        assert_eq!((form.message.as_str(), fields), ("who?", vec![("z", false), ("a", true)]));
    }

    #[test]
    fn defaults_are_an_answer_where_nothing_that_is_required_lacks_one() {
        let properties = r#"{"name": {"type": "string", "default": "Ada"}, "age": {"type": "integer"},
            "bad": {"type": "integer", "default": "old"}}"#;
        let content = |required: &[&str]| form(properties, required).defaults().map(Value::Object);
        assert_eq!(content(&[]), Some(json!({"name": "Ada"})));
        assert_eq!(content(&["name"]), Some(json!({"name": "Ada"})));
        assert_eq!((content(&["age"]), content(&["bad"])), (None, None));
        assert_eq!(form("{}", &[]).defaults().map(Value::Object), Some(json!({})));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let url = json!({"mode": "url", "message": "m", "url": "https://x/", "elicitationId": "1"});
        assert!(read(&url).is_err_and(|e| e.code == INVALID_PARAMS && e.message.contains("url")));
        assert!(read(&json!([1])).is_err() && Form::read(None).is_err());
        assert!(read(&json!({"mode": "form", "message": "m", "requestedSchema": {"type": "object"}})).is_ok());
    }
}
