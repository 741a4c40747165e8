//! From `key=value` on a command line to the JSON that a tool's schema wants.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::exit::Usage;

/// References followed from one schema to the next; more of them go in circles.
const MAX_DEPTH: usize = 16;
/// Parts of a schema that are looked at; one that refers to itself several times over would keep us for ever.
const MAX_PARTS: usize = 1000;

/// The value of argument `name` as the tool's input schema wants it. A tool that takes a string, or does not say what it
/// takes, gets a string; else the text must be JSON of a type that the schema names.
///
/// # Errors
/// When the text is of none of the schema's types.
pub(super) fn coerce(name: &str, text: &str, schema: &Value) -> Result<Box<RawValue>, Usage> {
    let wanted = types(&schema["properties"][name], schema);
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

/// The JSON types that a schema allows, in alphabetical order.
pub(super) fn types<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a str> {
    let mut types = Vec::new();
    walk(schema, root, &mut |part| match &part["type"] {
        Value::String(one) => types.push(one.as_str()),
        Value::Array(several) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {}
    });
    types.sort_unstable();
    types.dedup();
    types
}

/// Looks at a schema and what it is made of: through `$ref`, and over the members of `anyOf` and its kin, which is how
/// optional arguments are written.
pub(super) fn walk<'a>(schema: &'a Value, root: &'a Value, look: &mut dyn FnMut(&'a Value)) {
    let mut parts_left = MAX_PARTS;
    walk_down(schema, root, (MAX_DEPTH, &mut parts_left), look);
}

fn walk_down<'a>(
    schema: &'a Value,
    root: &'a Value,
    (depth, parts_left): (usize, &mut usize),
    look: &mut dyn FnMut(&'a Value),
) {
    let (Some(depth), Some(parts)) = (depth.checked_sub(1), parts_left.checked_sub(1)) else { return };
    *parts_left = parts;
    look(schema);
    if let Some(pointer) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        walk_down(root.pointer(pointer).unwrap_or(&Value::Null), root, (depth, &mut *parts_left), look);
    }
    for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[key].as_array()).flatten() {
        walk_down(choice, root, (depth, &mut *parts_left), look);
    }
}

/// Whether a JSON text is of that JSON Schema type.
pub(super) fn is_of(json: &str, kind: &str) -> bool {
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
    fn a_schema_that_refers_to_itself_has_an_end() {
        let itself = vec![json!({"$ref": "#/$defs/A"}); 50];
        let schema = json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"anyOf": itself}}});
        assert_eq!(coerce("a", "1", &schema).expect("text").get(), r#""1""#);
    }

    #[test]
    fn without_a_schema_all_is_text() {
        assert_eq!(coerce("a", "1", &Value::Null).expect("text").get(), r#""1""#);
    }
}
