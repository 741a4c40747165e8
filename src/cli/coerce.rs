//! From `key=value` on a command line to the JSON that a tool's schema wants.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::exit::Usage;

/// References followed from one schema to the next; more of them go in circles.
const MAX_DEPTH: usize = 16;

/// The value of argument `name` as the tool's input schema wants it. A tool that takes a string, or does not say what it
/// takes, gets a string; else the text must be JSON of a type that the schema names.
///
/// # Errors
/// When the text is of none of the schema's types.
pub(super) fn coerce(name: &str, text: &str, schema: &Value) -> Result<Box<RawValue>, Usage> {
    let mut wanted = Vec::new();
    collect_types(&schema["properties"][name], schema, MAX_DEPTH, &mut wanted);
    if wanted.is_empty() || wanted.contains(&"string") {
        return to_raw_value(text).map_err(|e| mismatch(name, text, &e.to_string()));
    }
    let raw: Option<Box<RawValue>> = serde_json::from_str(text).ok();
    raw.filter(|raw| wanted.iter().any(|kind| is_of(raw.get(), kind)))
        .ok_or_else(|| mismatch(name, text, &wanted.join(" or ")))
}

fn mismatch(name: &str, text: &str, wanted: &str) -> Usage {
    Usage::new(
        format!("the argument {name} takes {wanted}, not {text:?}"),
        format!("{name}:=JSON sends any JSON as it stands"),
    )
}

/// Gathers the JSON types that a schema allows: from `type`, through `$ref`, and over the members of `anyOf` and its kin,
/// which is how optional arguments are written.
fn collect_types<'a>(schema: &'a Value, root: &'a Value, depth: usize, types: &mut Vec<&'a str>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match &schema["type"] {
        Value::String(one) => types.push(one),
        Value::Array(several) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {}
    }
    if let Some(pointer) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        collect_types(root.pointer(pointer).unwrap_or(&Value::Null), root, depth, types);
    }
    for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[key].as_array()).flatten() {
        collect_types(choice, root, depth, types);
    }
    types.sort_unstable();
    types.dedup();
}

/// Whether a JSON text is of that JSON Schema type.
fn is_of(json: &str, kind: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'{') => kind == "object",
        Some(b'[') => kind == "array",
        Some(b'"') => kind == "string",
        Some(b't' | b'f') => kind == "boolean",
        Some(b'n') => kind == "null",
        // Looked at as text: a number keeps every digit on its way to the tool.
        _ => kind == "number" || (kind == "integer" && !json.contains(['.', 'e', 'E'])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "page": {"type": "integer"},
                "ratio": {"type": "number"},
                "deep": {"type": "boolean"},
                "tags": {"type": "array"},
                "filter": {"$ref": "#/$defs/Filter"},
                "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "query": {"type": ["string", "null"]},
                "loop": {"$ref": "#/$defs/Loop"},
                "wide": {"anyOf": [{"$ref": "#/$defs/Wide"}, {"$ref": "#/$defs/Wide"}]},
                "free": {},
            },
            "$defs": {
                "Filter": {"type": "object"},
                "Loop": {"$ref": "#/$defs/Loop"},
                "Wide": {"anyOf": [{"type": "integer"}]},
            },
        })
    }

    #[test]
    fn follows_the_schema() {
        for (name, text, expected) in [
            ("text", "5", r#""5""#),
            ("text", r#"a "b""#, r#""a \"b\"""#),
            ("page", "5", "5"),
            ("page", "-12345678901234567890123", "-12345678901234567890123"),
            ("ratio", "0.1", "0.1"),
            ("ratio", "3", "3"),
            ("deep", "true", "true"),
            ("tags", r#"["a", 1]"#, r#"["a", 1]"#),
            ("filter", r#"{"a":1}"#, r#"{"a":1}"#),
            ("limit", "null", "null"),
            ("limit", "7", "7"),
            ("query", "null", r#""null""#),
            ("loop", "7", r#""7""#),
            ("wide", "7", "7"),
            ("free", "7", r#""7""#),
            ("no_such", "7", r#""7""#),
        ] {
            let raw = coerce(name, text, &schema()).expect("fits");
            assert_eq!(raw.get(), expected, "{name}={text}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (name, text) in [
            ("page", "five"),
            ("page", "5.5"),
            ("page", "\"5\""),
            ("page", ""),
            ("ratio", "true"),
            ("deep", "yes"),
            ("deep", "1"),
            ("tags", "a,b"),
            ("filter", "[]"),
            ("limit", "none"),
        ] {
            assert!(coerce(name, text, &schema()).is_err(), "{name}={text}");
        }
        let error = coerce("limit", "x", &schema()).expect_err("does not fit");
        assert_eq!(error.message, "the argument limit takes integer or null, not \"x\"");
        assert_eq!(error.hint.as_deref(), Some("limit:=JSON sends any JSON as it stands"));
    }

    #[test]
    fn without_a_schema_all_is_text() {
        assert_eq!(coerce("a", "1", &Value::Null).expect("text").get(), r#""1""#);
    }
}
