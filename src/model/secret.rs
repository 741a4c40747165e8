//! Secrets that we hold or have sent, hidden wherever they stand: a server may say them again, in any of its words.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::mask::{MASK, is_secret_name};

/// What is shorter than this stands in other words as well, in bytes.
const SHORTEST: usize = 4;
/// The same for a value of which nothing says that it is secret.
const SHORTEST_VALUE: usize = 8;
/// Letters alone, up to here, may be a word that others use: it is hidden where it stands by itself.
const LONGEST_WORD: usize = 12;

/// Texts that must not be shown. `Debug` shows how many there are.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// One more, in each of the spellings in which others repeat it.
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        let in_json = escaped(secret);
        let in_xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let spellings = [secret.to_owned(), in_json, in_xml, decoded(secret)];
        for spelling in spellings {
            if spelling.len() >= SHORTEST && !self.0.contains(&spelling) {
                self.0.push(spelling);
            }
        }
        // One that holds another is hidden whole.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The value of a header or of a query's parameter: after a scheme as `Bearer` the rest of it, too.
    pub fn add_value(&mut self, name: &str, value: &str) {
        if is_secret_name(name) || may_be_secret(value) {
            self.add(value);
        }
        if let Some((_, credentials)) = value.trim().split_once(' ').filter(|_| is_secret_name(name)) {
            self.add(credentials);
        }
    }

    /// What a header is written as, `Name: value`, or was meant to be.
    pub fn add_header(&mut self, text: &str) {
        match text.split_once([':', '=', ' ']) {
            Some((name, value)) => self.add_value(name, value.trim()),
            None => self.add_value("", text),
        }
    }

    /// Whatever may be secret in a URL, or in what was meant to be one: its login, and values of its query. Those of a
    /// database are settings, of which the name says whether they are secret.
    pub fn add_url(&mut self, url: &str) {
        self.add_login(url);
        let is_http = url.starts_with("http");
        for (name, value) in url.split(['?', '&', '#', ' ']).filter_map(|pair| pair.split_once('=')) {
            if is_http || is_secret_name(name) {
                self.add_value(name, value);
            }
        }
        if is_http {
            return;
        }
        // A password that was written as it is may hold what ends an address; and without its `//` it cannot be told what
        // is the user.
        let (scheme, rest) = url.split_once("//").unwrap_or(("", url));
        let Some((login, host)) = rest.rsplit_once('@') else { return };
        let Some((user, password)) = login.split_once(':') else { return };
        let is_shown = |part: &&str| [scheme, user, host].iter().any(|shown| shown.contains(part));
        password.split(':').chain([password]).filter(|part| !is_shown(part)).for_each(|part| self.add(part));
    }

    /// User and password of a URL that has them: what stands before the last `@` of its authority (RFC 3986, section 3.2).
    pub fn add_login(&mut self, url: &str) {
        let Some((scheme, rest)) = url.split_once("//") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let Some((login, host)) = authority.rsplit_once('@') else { return };
        let Some((user, password)) = login.split_once(':') else {
            // A database has users without a password; to a server over HTTP a user alone is a token.
            if scheme.contains("http") {
                self.add(login);
            }
            return;
        };
        // One that stands in the rest, as in `archon:archon@localhost`, is shown by that anyway.
        let path = rest.split(['?', '#']).next().unwrap_or_default().trim_start_matches(authority);
        if [scheme, user, host, path].iter().any(|shown| shown.contains(password)) {
            return;
        }
        self.add(password);
        // As it is sent (RFC 7617).
        self.add(&STANDARD.encode(format!("{}:{}", decoded(user), decoded(password))));
    }

    /// Those of others as well.
    pub fn join(&mut self, others: &Self) {
        others.0.iter().for_each(|secret| self.add(secret));
    }

    /// The text without them.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(secret.as_str()) { Cow::Owned(without(&text, secret)) } else { text }
        })
    }

    /// A JSON document without them: only its strings are changed, so that it stays one.
    pub fn hide_in_json<'a>(&self, document: &'a str) -> Cow<'a, str> {
        if !document.contains('\\') && self.0.iter().all(|secret| !document.contains(secret.as_str())) {
            return Cow::Borrowed(document);
        }
        let (mut shown, mut rest) = (String::with_capacity(document.len()), document);
        while let Some((before, string)) = rest.split_once('"') {
            let end = end_of_string(string);
            let text = &string[..end];
            let is_name = string[end..].trim_start_matches('"').trim_start().starts_with(':');
            // A word that is somebody's token is no reason to take it for one where it names a member.
            let is_plain = is_name && text.chars().all(char::is_alphabetic);
            shown.extend([before, "\"", &if is_plain { Cow::Borrowed(text) } else { self.hide_in_string(text) }]);
            rest = &string[end..];
            if let Some(after) = rest.strip_prefix('"') {
                shown.push('"');
                rest = after;
            }
        }
        shown.push_str(rest);
        Cow::Owned(shown)
    }

    /// What stands between the quotes of a JSON string, without them: whoever wrote it may have escaped any character.
    fn hide_in_string<'a>(&self, literal: &'a str) -> Cow<'a, str> {
        if !literal.contains('\\') {
            return self.hide(literal);
        }
        // What is cut off is no string.
        let Ok(text) = serde_json::from_str::<String>(&format!("\"{literal}\"")) else { return self.hide(literal) };
        let hidden = self.hide(&text);
        if hidden == text { Cow::Borrowed(literal) } else { Cow::Owned(escaped(&hidden)) }
    }
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Whether a value may be secret although its name does not say so: a word, such as `production`, is none.
fn may_be_secret(value: &str) -> bool {
    let is_word = value.len() <= LONGEST_WORD && value.chars().all(char::is_alphabetic);
    value.len() >= SHORTEST_VALUE && !is_word
}

/// The text without that secret.
fn without(text: &str, secret: &str) -> String {
    if secret.len() > LONGEST_WORD || !secret.chars().all(char::is_alphabetic) {
        return text.replace(secret, MASK);
    }
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for (found, _) in text.match_indices(secret) {
        let goes_on = |c: char| c.is_alphanumeric() || c == '_';
        if text[..found].ends_with(goes_on) || text[found + secret.len()..].starts_with(goes_on) {
            continue;
        }
        shown.extend([&text[at..found], MASK]);
        at = found + secret.len();
    }
    shown + &text[at..]
}

/// Where a string literal of JSON ends, its closing quote left out.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// The text with its `%XX` read (RFC 3986, section 2.1); as it is where it has none.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests;
