//! Texts that are kept or shown: what is masked and hidden in them, whatever stands around it, and that nothing in them
//! drives a terminal, ends a document or makes a formula.

use archonctl::model::harmless::{cell, is_harmful, json, line, paragraph, printable};
use archonctl::model::mask::{self, MASK};
use archonctl::model::secret::Secrets;
use serde_json::{Value, json};

use super::driver::{Target, hold};

const TARGET: Target = Target {
    folders: &["tests/corpus/secrets", "tests/corpus/frames"],
    words: &[
        "password=",
        "\"api_key\": \"",
        "Authorization: Bearer ",
        "token: ",
        "--secret ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "https://user:pass@host/",
        "Server=x;Pwd=",
        "[held]",
        "[escaped]",
        "\\\"",
        "\"",
        "'",
        "\\",
        "=",
        ":",
        ";",
        "&",
        "\n",
        "\r\n",
        "\t",
        "\u{1b}[2J",
        "\u{9b}",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "=1+1",
    ],
    cases: 3000,
};
/// One that the program holds, and what stands for it in a case.
const HELD: &str = "tr0ub4dor&3 \"x\"";
const PLACE: &str = "[held]";
/// What stands for the same, each of its characters escaped as JSON may have it.
const ESCAPED: &str = "[escaped]";

/// Keys of others, in parts, so that nobody takes them for real ones.
fn keys() -> [String; 4] {
    let part = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    [
        format!("ghp_{part}"),
        format!("sk-ant-api03-{part}"),
        "AKIAIOSFODNN7EXAMPLE".into(),
        format!("xoxb-1234567890-{part}"),
    ]
}

/// A document of the same shape: what may differ are its scalars, and what was masked whole.
fn same_shape(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (_, Value::String(text)) if text == MASK => true,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same_shape(a, b)))
        }
        (Value::String(_), Value::String(_)) => true,
        (one, other) => one == other,
    }
}

fn masks(text: &str) {
    for key in keys() {
        let masked = mask::text(&format!("{text}\n{key}\n"));
        assert!(!masked.contains(&key), "{masked:?}");
    }
    let document = json!({"password": text, "list": [text, {"client_secret": [text]}], "key": keys()[0]});
    let masked = mask::json(&document.to_string()).expect("JSON");
    let masked: Value = serde_json::from_str(&masked).expect("still JSON");
    assert!(same_shape(&document, &masked), "{masked}");
    assert_eq!([&masked["password"], &masked["key"], &masked["list"][1]["client_secret"]], [MASK; 3]);
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let masked = mask::json(text).expect("JSON");
        assert!(same_shape(&value, &serde_json::from_str(&masked).expect("still JSON")), "{masked}");
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn hides(text: &str) {
    let mut secrets = Secrets::default();
    secrets.add(HELD);
    let escaped = HELD.chars().fold(String::new(), |text, c| format!("{text}\\u{:04x}", u32::from(c)));
    let text = text.replace(PLACE, HELD).replace(ESCAPED, &escaped);
    let hidden = secrets.hide(&text);
    assert!(!hidden.contains(HELD), "{hidden:?}");
    let document = json!({"error": text, "list": [text]}).to_string();
    let hidden = secrets.hide_in_json(&document);
    let shown: Value = serde_json::from_str(&hidden).expect("still JSON");
    assert!(strings(&shown).iter().all(|text| !text.contains(HELD)), "{shown}");
    // A document of somebody else.
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        let shown: Value = serde_json::from_str(&secrets.hide_in_json(&text)).expect("still JSON");
        assert!(strings(&shown).iter().all(|text| !text.contains(HELD)), "{shown} of {value}");
    }
}

fn is_harmless(text: &str) {
    let stays = |c: char| !is_harmful(c) || matches!(c, '\n' | '\t');
    assert!(printable(text).chars().all(stays) && !line(text).contains(is_harmful));
    assert!(paragraph(text).lines().skip(1).all(|line| line.starts_with("  ")));
    let cell = cell(text);
    assert!(cell.chars().all(stays) && !cell.trim_start().starts_with(['=', '+', '-', '@']), "{cell:?}");
    let document = json!({"a": text, text: [text]});
    let shown = json(&document.to_string()).into_owned();
    assert!(!shown.contains(is_harmful));
    assert_eq!(serde_json::from_str::<Value>(&shown).expect("still JSON"), document);
}

#[test]
fn secrets() {
    hold(&TARGET, |case| {
        let text = String::from_utf8_lossy(case);
        masks(&text);
        hides(&text);
        is_harmless(&text);
    });
}
