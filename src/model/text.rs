//! Texts from outside, made fit for a database: PostgreSQL's TEXT and JSONB hold no NUL, and no field grows for ever.

use serde_json::Value;

/// A text without NUL (each becomes U+FFFD), cut to `max` characters.
pub fn clean(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A JSON document without NUL in any string or key; `None` when it is not JSON, nested deeper than serde reads (128),
/// or longer than `max` bytes.
pub fn clean_json(raw: &str, max: usize) -> Option<String> {
    if raw.len() > max {
        return None;
    }
    let mut value: Value = serde_json::from_str(raw).ok()?;
    // Both spellings of NUL end up as the character in the parsed value.
    if raw.contains("\\u0000") || raw.contains('\0') {
        strip_nul(&mut value);
    }
    Some(value.to_string())
}

fn strip_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text, usize::MAX),
        Value::Array(items) => items.iter_mut().for_each(strip_nul),
        Value::Object(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(key, mut member)| {
                    strip_nul(&mut member);
                    (clean(&key, usize::MAX), member)
                })
                .collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nul_survives() {
        assert_eq!(clean("a\0b", 10), "a\u{fffd}b");
        let cleaned = clean_json(r#"{"a\u0000": ["\u0000", {"b": "x\u0000"}], "n": 1}"#, 1000).expect("json");
        assert!(!cleaned.contains('\0') && !cleaned.contains("\\u0000"), "{cleaned}");
    }

    #[test]
    fn too_deep_or_too_long_is_none() {
        assert_eq!(clean_json(&format!("{}{}", "[".repeat(500), "]".repeat(500)), 10_000), None);
        assert_eq!(clean_json("[1,2,3]", 3), None);
        assert_eq!(clean_json("{", 10), None);
    }
}
