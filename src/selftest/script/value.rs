//! Small values of a script that are checked while it is read, so that what is wrong is told with its line.

use std::borrow::Cow;
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A compiled expression takes no more than this: one that explodes is refused while the script is read.
const MAX_REGEX: usize = 1 << 20;
/// An expression longer than this is no expression.
const MAX_PATTERN: usize = 1000;

/// A time such as `250ms`, `90s` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let time = humantime::parse_duration(&text);
        time.map(Self).map_err(|_| de::Error::custom(format!("{text:?} is not a time; write 250ms, 90s, 5m or 1h30m")))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A time such as 250ms, 90s or 1h30m.", "examples": ["250ms", "90s"]})
    }
}

/// A regular expression: linear in time, bounded in size (crate `regex`).
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() > MAX_PATTERN {
            return Err(de::Error::custom(format!("a regular expression is at most {MAX_PATTERN} bytes long")));
        }
        let built = RegexBuilder::new(&text).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).nest_limit(50).build();
        built.map(Self).map_err(|e| {
            let reason = e.to_string();
            // The whole error draws the pattern with carets, over several lines; the reason is its last one.
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            de::Error::custom(format!("{text:?} is not a regular expression: {reason}"))
        })
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "regex", "description": "A regular expression, found anywhere in the text."})
    }
}

/// Which HTTP statuses are right: `200`, `"2xx"`, or a list of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRule(Vec<Statuses>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Statuses {
    One(u16),
    Class(u16),
}

impl StatusRule {
    /// Exactly that one.
    pub fn one(status: u16) -> Self {
        Self(vec![Statuses::One(status)])
    }

    /// Any success.
    pub fn success() -> Self {
        Self(vec![Statuses::Class(2)])
    }

    /// Whether a status is among them.
    pub fn allows(&self, status: u16) -> bool {
        self.0.iter().any(|rule| match rule {
            Statuses::One(one) => *one == status,
            Statuses::Class(class) => status / 100 == *class,
        })
    }
}

impl std::fmt::Display for StatusRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, rule) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { " or " })?;
            match rule {
                Statuses::One(one) => write!(f, "{one}")?,
                Statuses::Class(class) => write!(f, "{class}xx")?,
            }
        }
        Ok(())
    }
}

struct StatusVisitor;

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = Vec<Statuses>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an HTTP status such as 200, a class such as \"4xx\", or a list of them")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        match u16::try_from(number) {
            Ok(status @ 100..600) => Ok(vec![Statuses::One(status)]),
            _ => Err(E::custom(format!("{number} is no HTTP status"))),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => Ok(vec![Statuses::Class(u16::from(class - b'0'))]),
            _ => Err(E::custom(format!("{text:?} is not a class of HTTP statuses; write \"2xx\""))),
        }
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(StatusRule(some)) = list.next_element()? {
            all.extend(some);
        }
        if all.is_empty() { Err(de::Error::custom("no status at all is none that could be met")) } else { Ok(all) }
    }
}

impl<'de> Deserialize<'de> for StatusRule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StatusVisitor).map(Self)
    }
}

impl JsonSchema for StatusRule {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"enum": ["1xx", "2xx", "3xx", "4xx", "5xx"]}
        ]});
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct All {
        status: Option<StatusRule>,
        time: Option<Time>,
        pattern: Option<Pattern>,
    }

    #[test]
    fn statuses_are_read_and_told() {
        for (text, right, wrong, told) in
            [("200", 200, 201, "200"), ("\"4xx\"", 404, 500, "4xx"), ("[200, \"4xx\"]", 400, 202, "200 or 4xx")]
        {
            let rule = toml::from_str::<All>(&format!("status = {text}")).expect(text).status.expect("a rule");
            assert!(rule.allows(right) && !rule.allows(wrong), "{text}");
            assert_eq!(rule.to_string(), told);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, reason) in [
            ("status = 99", "99 is no HTTP status"),
            ("status = -1", "-1 is no HTTP status"),
            ("status = \"9xx\"", "not a class of HTTP statuses"),
            ("status = []", "none that could be met"),
            ("status = true", "expected an HTTP status"),
            ("time = \"soon\"", "\"soon\" is not a time; write 250ms"),
            ("time = 5", "expected a string"),
            ("pattern = \"(\"", "\"(\" is not a regular expression: unclosed group"),
            ("pattern = '(a{1000}){1000}'", "exceeds size limit"),
        ] {
            let error = toml::from_str::<All>(text).expect_err(text);
            assert!(error.message().contains(reason), "{text}: {error}");
            assert!(error.span().is_some(), "{text}");
        }
        let all = toml::from_str::<All>("time = \"1m30s\"\npattern = \"^a+$\"").expect("both");
        assert_eq!(all.time, Some(Time(Duration::from_secs(90))));
        assert!(all.pattern.is_some_and(|p| p.0.is_match("aaa")));
    }
}
