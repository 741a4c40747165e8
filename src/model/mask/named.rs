//! Values that somebody gave a telling name: `password=…`, `"apiKey": "…"`, `--token …`.

use std::sync::LazyLock;

use regex::Regex;

use super::masked::MASK;

/// Parts of names (lower case, without what separates words) that hold secrets.
const SECRETS: [&str; 17] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "authorization",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "credential",
    "cookie",
    "connectionstring",
    "sessionid",
];

/// Last words of names that hold secrets, and say too little in the middle of one.
const SHORT: [&str; 6] = ["pass", "pwd", "psw", "pw", "sig", "jwt"];

/// What has such a part and is a count, a kind or a place: names that end so, and two words.
const HARMLESS_ENDS: [&str; 11] =
    ["tokens", "name", "file", "path", "url", "uri", "type", "count", "limit", "usage", "tokenizer"];
const HARMLESS: [&str; 2] = ["secretary", "passwordless"];

/// Whether a member, an option or a variable of that name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric();
    let last = name.rsplit(|c| !is_word(c)).next().unwrap_or_default().to_lowercase();
    let whole: String = name.chars().filter(|c| is_word(*c)).flat_map(char::to_lowercase).collect();
    let is_harmless = HARMLESS_ENDS.iter().any(|end| whole.ends_with(end)) || HARMLESS.contains(&&*whole);
    !is_harmless && (SHORT.contains(&&*last) || SECRETS.iter().any(|secret| whole.contains(secret)))
}

/// A name with what comes before its value.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?x) (?<name> [A-Za-z0-9_.-]{2,64}) (?: (?: \\* ["'] )? \s* (?: => | := | = | : ) \s* | [\ \t]+ )"#)
        .ok()
});

/// Takes out the values of names that tell of a secret.
pub(super) fn without_values(text: &str) -> String {
    let Some(pattern) = NAME.as_ref() else { return MASK.to_owned() };
    let (mut masked, mut copied, mut at) = (String::with_capacity(text.len()), 0, 0);
    while let Some(found) = pattern.captures_at(text, at) {
        let (name, whole) = (&found["name"], found.get(0).map_or(at..at, |whole| whole.range()));
        let separator = &text[whole.start + name.len()..whole.end];
        // A name that is followed by nothing but space is an option: prose speaks of passwords, too.
        let is_asked = if separator.trim().is_empty() { is_option(name) } else { is_secret(name) };
        at = whole.end;
        if let Some((from, to)) = is_asked.then(|| value(&text[at..])).flatten() {
            masked.push_str(&text[copied..at + from]);
            masked.push_str(MASK);
            at += to;
            copied = at;
        } else if separator.trim().is_empty() {
            // The next word may be a name.
            at = whole.start + name.len();
        }
    }
    masked.push_str(&text[copied..]);
    masked
}

/// `--password` and the like.
fn is_option(name: &str) -> bool {
    name.starts_with('-') && is_secret(name)
}

/// Where the value is that the text begins with; none where it is none, or stands for one.
fn value(text: &str) -> Option<(usize, usize)> {
    let slashes = text.len() - text.trim_start_matches('\\').len();
    let quoted = text[slashes..].starts_with(['"', '\'', '`']);
    let (from, to) = if quoted {
        // Of a JSON text in a JSON text the quotes come with slashes.
        let quote = &text[..=slashes];
        (quote.len(), quote.len() + quoted_end(&text[quote.len()..], quote))
    } else if let Some(braced) = text.strip_prefix('{').filter(|rest| !rest.trim_start().starts_with(['"', '}'])) {
        (1, 1 + braced.find('}').unwrap_or(braced.len()))
    } else {
        (0, bare_end(text))
    };
    let value = &text[from..to];
    // A variable, a blank to be filled in, an object, the scheme of a header's value: not the secret itself.
    let stands_for = value.starts_with(['$', '<', '{', '[', '-', '%', '*'])
        || matches!(value, "null" | "None" | "nil" | "true" | "false")
        || text[to..].trim_start().starts_with(MASK);
    (!value.trim().is_empty() && !stands_for).then_some((from, to))
}

fn quoted_end(text: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(found) = text[from..].find(quote) {
        let end = from + found;
        if quote.len() > 1 || !text[..end].ends_with('\\') {
            return end;
        }
        from = end + quote.len();
    }
    text.len()
}

/// The end of a value without quotes: at space, at what separates it from the next name, and before closing brackets.
fn bare_end(text: &str) -> usize {
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let is_over = match c {
            ';' | '"' | '\'' | '`' | '<' | '>' => true,
            '&' | ',' => begins_pair(rest),
            _ => c.is_whitespace(),
        };
        if is_over {
            end = at;
            break;
        }
    }
    text[..end].trim_end_matches([',', '.', ')', ']', '}', ':', '!', '?', '\\']).len()
}

/// Whether `name=` or space comes next.
fn begins_pair(rest: &str) -> bool {
    let name =
        rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '%' | '[' | ']'));
    rest.is_empty()
        || rest.starts_with(char::is_whitespace)
        || (name.len() < rest.len() && name.starts_with(['=', ':']))
}
