//! JSON for people: indented, and otherwise as it came, so that neither the order of members nor a digit changes.

/// Deeper levels are not indented further, so that the output stays in proportion to the input.
const MAX_INDENT: usize = 64;

/// The text indented, if it is a JSON object or array; else the text itself.
pub(super) fn pretty(text: &str) -> String {
    let is_json =
        text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    if is_json { indented(text) } else { text.to_owned() }
}

fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth: usize = 0;
    let mut rest = json;
    while let Some(next) = rest.chars().next() {
        let length = if next == '"' { string_length(rest) } else { next.len_utf8() };
        let token = &rest[..length];
        rest = &rest[length..];
        match next {
            ' ' | '\t' | '\r' | '\n' => {}
            '{' | '[' => {
                out.push(next);
                rest = rest.trim_start();
                if let Some(closed) = rest.strip_prefix(['}', ']']) {
                    out.push(if next == '{' { '}' } else { ']' });
                    rest = closed;
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(next);
            }
            ',' => {
                out.push(next);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push_str(token),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
}

/// The length of the string literal at the start, quotes included, in bytes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn indents_and_changes_nothing_else() {
        let text = r#" {"b" : 1.50, "a":[ ], "c":[{}, "x,\"}{\\"],"é":null} "#;
        let expected =
            "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": [\n    {},\n    \"x,\\\"}{\\\\\"\n  ],\n  \"é\": null\n}";
        assert_eq!(pretty(text), expected);
    }

    #[test]
    fn leaves_other_texts_alone() {
        for text in ["", "hello", "{not json}", "[1", "5", "\"a\"", "{} {}"] {
            assert_eq!(pretty(text), text);
        }
    }

    #[test]
    fn deep_nesting_stays_in_proportion() {
        let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(pretty(&deep).len() < deep.len() * (2 * MAX_INDENT + 2));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..5).prop_map(|m| m.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn means_the_same_and_looks_like_serde(value in json()) {
            prop_assert_eq!(pretty(&value.to_string()), match &value {
                Value::Object(_) | Value::Array(_) => format!("{value:#}"),
                // A string may happen to hold JSON of its own; quoted it never starts with a bracket.
                other => other.to_string(),
            });
        }
    }
}
