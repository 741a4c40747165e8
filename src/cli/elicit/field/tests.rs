//! What may be typed into which field.

use super::*;
use serde_json::json;

fn field(schema: &Value) -> Field {
    Field::of("x".to_owned(), schema, false)
}

#[test]
fn a_value_is_of_its_fields_type() {
    let text = json!({"type": "string", "minLength": 2, "maxLength": 3});
    let whole = json!({"type": "integer", "minimum": 1, "maximum": 10});
    let colour = json!({"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]});
    let titled = json!({"type": "string", "oneOf": [{"const": "a", "title": "Alpha"}, {"const": "b"}]});
    let some =
        json!({"type": "array", "items": {"anyOf": [{"const": "a", "title": "Alpha"}, {"const": "b"}]}, "minItems": 1});
    for (schema, typed, expected) in [
        (&text, "ab", Some(json!("ab"))),
        (&text, "éé", Some(json!("éé"))),
        (&text, "a", None),
        (&text, "abcd", None),
        (&whole, "7", Some(json!(7))),
        (&whole, "7.5", None),
        (&whole, "0", None),
        (&whole, "11", None),
        (&whole, "seven", None),
        (&json!({"type": "number"}), "-1.5e3", Some(json!(-1500.0))),
        (&json!({"type": ["null", "number"]}), "2", Some(json!(2))),
        (&json!({"type": "boolean"}), "Yes", Some(json!(true))),
        (&json!({"type": "boolean"}), "n", Some(json!(false))),
        (&json!({"type": "boolean"}), "perhaps", None),
        (&colour, "g", Some(json!("g"))),
        (&colour, "red", Some(json!("r"))),
        (&colour, "2", Some(json!("g"))),
        (&colour, "3", None),
        (&json!({"enum": ["2", "1"]}), "1", Some(json!("1"))),
        (&titled, "alpha", Some(json!("a"))),
        (&some, "b, Alpha", Some(json!(["b", "a"]))),
        (&some, ",", None),
        (&some, "c", None),
        (&json!({"type": "object"}), r#"{"a": 1}"#, Some(json!({"a": 1}))),
        (&json!({"type": "object"}), "{", None),
    ] {
        assert_eq!(field(schema).read(typed).ok(), expected, "{schema} {typed:?}");
    }
}

#[test]
fn formats_are_checked() {
    for (format, good, bad) in [
        ("email", &["ada@example.org"][..], &["ada", "@example.org", "a b@c"][..]),
        ("uri", &["https://example.org/", "urn:x"], &["example.org", "://x", "a b:c"]),
        ("date", &["2026-01-31"], &["2026-02-31", "31.1.2026", "2026-1-31"]),
        ("date-time", &["2026-01-31T12:00:00Z"], &["2026-01-31 12:00", "noon"]),
        ("colour", &["any"], &[]),
    ] {
        let field = field(&json!({"type": "string", "format": format}));
        assert!(good.iter().all(|text| field.read(text).is_ok()), "{format}");
        assert!(bad.iter().all(|text| field.read(text).is_err()), "{format}");
    }
}

#[test]
fn says_what_it_takes_and_shows_values_as_they_are_typed() {
    for (schema, takes) in [
        (json!({"type": "string"}), "text"),
        (json!({"type": "string", "format": "email", "minLength": 5}), "email, at least 5 characters"),
        (json!({"type": "integer", "minimum": 1, "maximum": 10}), "whole number, 1 to 10"),
        (json!({"type": "number", "maximum": 0.5}), "number, at most 0.5"),
        (json!({"type": "boolean"}), "yes or no"),
        (json!({"enum": ["a", "b"]}), "1 a, 2 b"),
    ] {
        assert_eq!(field(&schema).takes(), takes, "{schema}");
    }
    assert_eq!(field(&json!({"type": "boolean"})).shown(&json!(true)), "yes");
    assert_eq!(field(&json!({"oneOf": [{"const": "a", "title": "Alpha"}]})).shown(&json!("a")), "Alpha");
    assert_eq!(field(&json!({"type": "integer"})).shown(&json!(7)), "7");
    let told = field(&json!({"type": "integer", "minimum": 1})).read("0").expect_err("too small");
    assert_eq!(told, "it has to be at least 1");
}
