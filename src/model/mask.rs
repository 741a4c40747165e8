//! Secrets taken out of what is kept for people to look at.
//!
//! Two nets: members whose name says that they hold a secret, and texts that look like one. Neither is proof; that is why
//! nothing is captured unless the operator asks for it.

use serde_json::Value;

/// What stands in a secret's place.
pub const MASK: &str = "[masked]";

/// Parts of names (lower case, without `-` and `_`) that hold secrets.
const SECRET_NAMES: [&str; 11] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "cookie",
];

/// How keys that services hand out begin.
const KEY_PREFIXES: [&str; 14] =
    ["sk-", "pk-", "rk_", "sk_", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xox", "AKIA", "AIza", "eyJ"];

/// A prefix alone is no key: the least number of bytes that follow one.
const KEY_CHARS: usize = 16;
/// A word of digits and letters of both cases, this long, is nothing that people write.
const RANDOM_CHARS: usize = 32;

/// A JSON document with its secrets masked; `None` when it is no JSON.
pub fn json(raw: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(raw).ok()?;
    mask(&mut value);
    Some(value.to_string())
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = self::text(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret_name(name) && !member.is_null() {
                    *member = Value::from(MASK);
                } else {
                    mask(member);
                }
            }
        }
        _ => {}
    }
}

/// A text with the words masked that look like secrets.
pub fn text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut after_scheme = false;
    for word in
        text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '='))
    {
        let bare =
            word.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '='));
        let rest = &word[bare.len()..];
        if !bare.is_empty() && (after_scheme || is_secret(bare)) {
            masked.push_str(MASK);
        } else {
            masked.push_str(&without_password(bare));
        }
        masked.push_str(rest);
        if !bare.is_empty() {
            after_scheme = bare.eq_ignore_ascii_case("bearer") || bare.eq_ignore_ascii_case("basic");
        }
    }
    masked
}

/// Whether a name says that what it names is secret.
pub fn is_secret_name(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect();
    // "max_tokens" and the like are counts.
    SECRET_NAMES.iter().any(|secret| name.contains(secret)) && !name.ends_with("tokens")
}

fn is_secret(word: &str) -> bool {
    let known = KEY_PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= KEY_CHARS));
    known || word.starts_with("-----BEGIN") || looks_random(word)
}

/// Letters of both cases and digits, mixed, without the dashes of a UUID or the dots and slashes of names and paths.
fn looks_random(word: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '_' | '-');
    let kinds: [fn(&char) -> bool; 3] = [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit];
    word.len() >= RANDOM_CHARS
        && word.chars().all(letters)
        && kinds.iter().all(|kind| word.chars().filter(kind).count() >= 3)
}

/// A URL without the password that it may hold.
fn without_password(word: &str) -> String {
    let kept = || word.to_owned();
    let Some((scheme, rest)) = word.split_once("://") else { return kept() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}:{MASK}@{host}{}", &rest[authority.len()..])
        }
        _ => kept(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_hold_secrets_are_masked_whatever_they_hold() {
        let raw = r#"{"query":"auth","apiKey":"x","nested":[{"Set-Cookie":{"a":1}}],"max_tokens":5,"token":null,
                      "client_secret":7,"Authorization":"Basic YTpi","page":2}"#;
        let masked = json(raw).expect("json");
        let value: Value = serde_json::from_str(&masked).expect("json");
        assert_eq!(
            value,
            serde_json::json!({"query": "auth", "apiKey": MASK, "nested": [{"Set-Cookie": MASK}], "max_tokens": 5,
                "token": null, "client_secret": MASK, "Authorization": MASK, "page": 2})
        );
    }

    #[test]
    fn texts_that_look_like_keys_are_masked_and_others_are_not() {
        for secret in [
            "sk-proj-0123456789abcdef0123",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "AKIAIOSFODNN7EXAMPLE0",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF",
        ] {
            assert_eq!(text(secret), MASK);
            assert_eq!(text(&format!("it said \"{secret}\", and left")), format!("it said \"{MASK}\", and left"));
        }
        assert_eq!(text("Authorization: Bearer abc"), format!("Authorization: Bearer {MASK}"));
        assert_eq!(text("postgres://me:hunter2@db/x?y=1"), format!("postgres://me:{MASK}@db/x?y=1"));
        for plain in [
            "find the project sk-8",
            "550e8400-e29b-41d4-a716-446655440000",
            "/home/me/projects/archonctl/src/Main.rs",
            "https://example.org/a@b",
            "a sentence, with (some) 'punctuation'; and so on = fine",
            "",
        ] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn what_is_no_json_is_none() {
        assert_eq!(json("{"), None);
    }
}
