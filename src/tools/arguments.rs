//! Reading a call's arguments: names first, then types; a misfit is a tool error that says which argument and why, so
//! that a model can mend its call.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use crate::catalog::ToolError;
use crate::model::text::nearest;
use crate::protocol::number::with_integers;

/// What a tool accepts, read off its input schema once.
#[derive(Debug)]
pub(super) struct ArgumentRules {
    properties: Map<String, Value>,
    required: Vec<String>,
    /// Whether names beyond the properties are refused.
    closed: bool,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl ArgumentRules {
    pub(super) fn of(schema: &Value) -> Self {
        let required = schema["required"].as_array().into_iter().flatten();
        Self {
            properties: schema["properties"].as_object().cloned().unwrap_or_default(),
            required: required.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            closed: schema["additionalProperties"] == Value::Bool(false),
        }
    }

    /// The arguments as the tool's type; none at all means `{}`.
    pub(super) fn read<T: DeserializeOwned>(&self, raw: Option<&RawValue>) -> Result<T, ToolError> {
        let text = raw.map_or("{}", RawValue::get);
        // Checked here, because serde would also read a struct from an array.
        if !text.starts_with('{') {
            return Err(ToolError::validation("the arguments must be an object")
                .suggest(format!("Send an object with these members: {}.", self.names())));
        }
        self.check_names(text)?;
        // Most fit as they are; what does not may be an integer that is written as `1.0`.
        serde_json::from_str(text).or_else(|_| self.read_carefully(&with_integers(text)))
    }

    fn check_names(&self, text: &str) -> Result<(), ToolError> {
        let given: BTreeMap<Name<'_>, &RawValue> = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
        if self.closed
            && let Some(Name(unknown)) = given.keys().find(|name| !self.properties.contains_key(name.0.as_ref()))
        {
            return Err(self.unknown(unknown));
        }
        let has = |name: &str| given.keys().any(|given| given.0 == name);
        let missing: Vec<&str> = self.required.iter().map(String::as_str).filter(|name| !has(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let expected: Map<String, Value> =
            missing.iter().map(|name| ((*name).to_owned(), self.properties.get(*name).cloned().into())).collect();
        let message = format!("missing argument: {}", missing.join(", "));
        Err(ToolError::validation(message.clone())
            .in_short(message)
            .with_details(json!({ "missing": missing, "expected": expected })))
    }

    fn unknown(&self, name: &str) -> ToolError {
        let shown: String = name.chars().take(100).collect();
        let near = nearest(name, self.properties.keys().map(String::as_str));
        let error = ToolError::validation(format!("unknown argument {shown:?}")).in_short("unknown argument");
        match near.first() {
            Some(near) => error.suggest(format!("Did you mean {near:?}?")),
            None => error.suggest(format!("The arguments of this tool are: {}.", self.names())),
        }
    }

    /// The same again with a record of where we are. Only for what has failed already: the record costs time.
    fn read_carefully<T: DeserializeOwned>(&self, text: &str) -> Result<T, ToolError> {
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(|error| {
            let why = without_position(error.inner());
            let Some(Segment::Map { key }) = error.path().iter().next() else { return unreadable(error.inner()) };
            let expected = self.properties.get(key).unwrap_or(&Value::Null);
            let known = self.properties.get_key_value(key).map(|(name, _)| format!("{name:?} "));
            ToolError::validation(format!("argument {:?} does not fit: {why}", error.path().to_string()))
                .in_short(format!("argument {}does not fit", known.unwrap_or_default()))
                .with_details(json!({ "argument": key, "expected": expected }))
                .suggest(format!("{key:?} is {}.", in_words(expected)))
        })
    }

    fn names(&self) -> String {
        if self.properties.is_empty() {
            return "(none)".to_owned();
        }
        self.properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

fn unreadable(error: &serde_json::Error) -> ToolError {
    ToolError::validation(format!("the arguments cannot be read: {}", without_position(error)))
        .in_short("the arguments cannot be read")
}

/// Lines and columns count in a text that the caller never saw.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// A property's schema for a reader: its words or its types, and what its description says.
fn in_words(schema: &Value) -> String {
    let list = |values: &[Value]| {
        values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect::<Vec<_>>().join(" or ")
    };
    let kind = match (schema["enum"].as_array(), &schema["type"]) {
        (Some(words), _) => list(words),
        (None, Value::Array(types)) => list(types),
        (None, Value::String(one)) => one.clone(),
        _ => "of another type".to_owned(),
    };
    match schema["description"].as_str() {
        Some(description) => format!("{kind}: {}", description.trim_end_matches('.')),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::catalog::ErrorKind;
    use crate::tools::{NoArguments, schema};

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    struct Arguments {
        text: String,
        /// From 1.
        page: Option<i64>,
        #[serde(default)]
        tags: Vec<String>,
        anything: Option<Value>,
    }

    fn read(raw: &str) -> Result<Arguments, ToolError> {
        let raw = RawValue::from_string(raw.to_owned()).expect("json");
        ArgumentRules::of(&schema::input::<Arguments>()).read(Some(&raw))
    }

    fn refusal(raw: &str) -> Value {
        let error = read(raw).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ValidationError);
        serde_json::from_str::<Value>(error.body().get()).expect("json")["error"].clone()
    }

    #[test]
    fn reads_what_fits() {
        let arguments = read(r#" {"text": "a\u0000b", "page": null, "tags": ["x"]} "#).expect("fits");
        assert_eq!(arguments.text, "a\0b");
        assert_eq!((arguments.page, arguments.tags), (None, vec!["x".to_owned()]));
        let rules = ArgumentRules::of(&schema::input::<NoArguments>());
        assert!(rules.read::<NoArguments>(None).is_ok(), "absent means an empty object");
        assert!(rules.read::<NoArguments>(Some(RawValue::NULL)).is_err());
    }

    #[test]
    fn an_integer_may_be_written_with_a_point() {
        for (page, number) in [("1.0", 1), ("2e1", 20), ("-0.0", 0), ("9007199254740993.0", 9_007_199_254_740_993)] {
            let arguments = read(&format!(r#"{{"text": "1.0", "page": {page}, "anything": 1.5}}"#)).expect("fits");
            assert_eq!((arguments.text.as_str(), arguments.page), ("1.0", Some(number)), "{page}");
            assert_eq!(arguments.anything, Some(json!(1.5)));
        }
        for wrong in ["1.5", "1e-1", "1e300", "\"1.0\""] {
            refusal(&format!(r#"{{"text": "a", "page": {wrong}}}"#));
        }
        let twice = refusal(r#"{"text": "a", "page": 1.0, "page": 2}"#);
        assert!(twice["message"].as_str().is_some_and(|m| m.contains("duplicate")), "{twice}");
    }

    #[test]
    fn says_which_argument_and_why() {
        let error = refusal(r#"{"text": "a", "page": "two"}"#);
        assert_eq!(error["message"], r#"argument "page" does not fit: invalid type: string "two", expected i64"#);
        assert_eq!(error["details"]["argument"], "page");
        assert_eq!(error["suggestion"], r#""page" is integer or null: From 1."#);
        let nested = refusal(r#"{"text": "a", "tags": ["x", 1]}"#);
        assert!(nested["message"].as_str().is_some_and(|m| m.starts_with(r#"argument "tags[1]" does not fit"#)));
    }

    #[test]
    fn names_the_nearest_name() {
        assert_eq!(refusal(r#"{"txt": "a"}"#)["suggestion"], r#"Did you mean "text"?"#);
        let far = refusal(r#"{"text": "a", "zzzzzzzz": 1}"#);
        assert_eq!(far["suggestion"], "The arguments of this tool are: anything, page, tags, text.");
        let missing = refusal("{}");
        assert_eq!(missing["message"], "missing argument: text");
        assert_eq!(missing["details"]["expected"]["text"]["type"], "string");
    }

    #[test]
    fn strange_json_is_refused_and_never_panics() {
        let deep = format!(r#"{{"text": "a", "anything": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(refusal(&deep)["message"].as_str().is_some_and(|m| m.contains("recursion")));
        for raw in
            ["[]", r#"["a"]"#, "7", r#""text""#, "null", r#"{"text": "\ud800"}"#, r#"{"\ud800": 1, "text": "a"}"#]
        {
            refusal(raw);
        }
        assert!(refusal(r#"{"text": "a", "text": "b"}"#)["message"].as_str().is_some_and(|m| m.contains("duplicate")));
        let long = refusal(&format!(r#"{{"text": "a", "{}": 1}}"#, "y".repeat(1_000_000)));
        assert!(long["message"].as_str().is_some_and(|m| m.len() < 200));
    }
}
