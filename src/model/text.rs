//! Texts from outside, made fit for a database: PostgreSQL's TEXT and JSONB hold no NUL, and no field grows for ever.

use serde_json::Value;

use super::harmless::is_harmful;

/// A text without NUL (each becomes U+FFFD), cut to `max` characters.
pub fn clean(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A name as it is kept, and shown wherever it is needed: what is harmful becomes U+FFFD, cut to `max` characters.
pub fn name(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
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

/// A name longer than this resembles none of ours; comparing costs the product of two lengths.
const LONGEST_NAME: usize = 64;

/// The candidates that somebody who wrote `name` may have meant: at most three, the likeliest first.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(&name, &candidate.to_lowercase());
    let mut near: Vec<_> = candidates.map(|c| (likeness(c), c)).filter(|(likeness, _)| *likeness >= 0.6).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
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
    fn a_name_is_one_line_that_drives_nothing() {
        assert_eq!(
            name("a\u{1b}[2J\nb\t\u{9b}\u{202e}\u{2028}\u{feff}é会", 12),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn finds_the_nearest_names() {
        let names = ["find_projects", "manage_project", "page", "per_page"];
        for (typed, meant) in [("list_projects", "find_projects"), ("Page", "page"), ("pre_page", "per_page")] {
            assert_eq!(nearest(typed, names.into_iter()).first(), Some(&meant), "{typed}");
        }
        assert!(nearest("heartbeat", names.into_iter()).is_empty());
        assert!(nearest(&"page".repeat(1000), names.into_iter()).is_empty());
    }

    #[test]
    fn too_deep_or_too_long_is_none() {
        assert_eq!(clean_json(&format!("{}{}", "[".repeat(500), "]".repeat(500)), 10_000), None);
        assert_eq!(clean_json("[1,2,3]", 3), None);
        assert_eq!(clean_json("{", 10), None);
    }
}
