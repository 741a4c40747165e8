//! One field of a form: what it takes, and a value from what was typed.

use chrono::{DateTime, NaiveDate};
use serde_json::{Number, Value};

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the answer.
    pub(super) name: String,
    /// Its name for people.
    pub(super) title: Option<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// Whether it must be filled in.
    pub(super) is_required: bool,
    default: Option<Value>,
    kind: Kind,
}

/// What a field takes.
#[derive(Debug)]
enum Kind {
    Text {
        length: Range,
        format: Option<String>,
    },
    Number {
        range: Range,
        is_whole: bool,
    },
    Boolean,
    /// One of these.
    One(Vec<Choice>),
    /// Some of these.
    Some(Vec<Choice>, Range),
    /// Something that the specification does not have; typed as JSON.
    Any,
}

/// A value, and what people call it.
#[derive(Debug)]
struct Choice {
    value: Value,
    title: String,
}

/// Bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

impl Field {
    /// By its schema.
    pub(super) fn of(name: String, schema: &Value, is_required: bool) -> Self {
        let text = |key: &str| schema[key].as_str().map(str::to_owned);
        let default = schema.get("default").filter(|default| !default.is_null()).cloned();
        Self {
            name,
            title: text("title"),
            description: text("description"),
            is_required,
            default,
            kind: Kind::of(schema),
        }
    }

    /// The value that holds when nothing is typed, if it is one that the field takes.
    pub(super) fn default(&self) -> Option<&Value> {
        self.default.as_ref().filter(|value| self.kind.check(value).is_ok())
    }

    /// What it takes, for people.
    pub(super) fn takes(&self) -> String {
        let choices = |all: &[Choice]| {
            let shown = all.iter().enumerate().map(|(n, choice)| format!("{} {}", n + 1, choice.title));
            shown.collect::<Vec<_>>().join(", ")
        };
        match &self.kind {
            Kind::Text { length, format } => {
                let what = format.as_deref().unwrap_or("text");
                format!("{what}{}", length.words(" characters"))
            }
            Kind::Number { range, is_whole } => {
                format!("{}{}", if *is_whole { "whole number" } else { "number" }, range.words(""))
            }
            Kind::Boolean => "yes or no".to_owned(),
            Kind::One(all) => choices(all),
            Kind::Some(all, count) => format!("{}; several with commas between{}", choices(all), count.words("")),
            Kind::Any => "JSON".to_owned(),
        }
    }

    /// The value that was typed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, typed: &str) -> Result<Value, String> {
        let value = self.kind.read(typed)?;
        self.kind.check(&value).map(|()| value)
    }

    /// A value as it would be typed.
    pub(super) fn shown(&self, value: &Value) -> String {
        let titled = |all: &[Choice], value: &Value| {
            all.iter().find(|choice| choice.value == *value).map_or_else(|| plain(value), |c| c.title.clone())
        };
        match (&self.kind, value) {
            (Kind::Boolean, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
            (Kind::One(all), value) => titled(all, value),
            (Kind::Some(all, _), Value::Array(some)) => {
                some.iter().map(|value| titled(all, value)).collect::<Vec<_>>().join(", ")
            }
            (_, value) => plain(value),
        }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(all) = choices(schema) {
            return Self::One(all);
        }
        let range = |min: &str, max: &str| Range { min: schema[min].as_f64(), max: schema[max].as_f64() };
        let named = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kind = schema["type"].as_str().or_else(|| named.into_iter().find(|kind| *kind != "null"));
        match kind {
            Some("string") => {
                let format = schema["format"].as_str().map(str::to_owned);
                Self::Text { length: range("minLength", "maxLength"), format }
            }
            Some("integer") => Self::Number { range: range("minimum", "maximum"), is_whole: true },
            Some("number") => Self::Number { range: range("minimum", "maximum"), is_whole: false },
            Some("boolean") => Self::Boolean,
            Some("array") => match choices(&schema["items"]) {
                Some(all) => Self::Some(all, range("minItems", "maxItems")),
                None => Self::Any,
            },
            _ => Self::Any,
        }
    }

    fn read(&self, typed: &str) -> Result<Value, String> {
        match self {
            Self::Text { .. } => Ok(typed.into()),
            Self::Number { .. } => {
                typed.parse::<Number>().map(Value::Number).map_err(|_| format!("{typed} is not a number"))
            }
            Self::Boolean => match typed.to_lowercase().as_str() {
                "y" | "yes" | "true" | "1" => Ok(true.into()),
                "n" | "no" | "false" | "0" => Ok(false.into()),
                _ => Err("type yes or no".to_owned()),
            },
            Self::One(all) => chosen(all, typed),
            Self::Some(all, _) => {
                let parts = typed.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(|part| chosen(all, part)).collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Self::Any => serde_json::from_str(typed).map_err(|e| format!("it is not JSON: {e}")),
        }
    }

    /// Whether a value is one that the field takes.
    fn check(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Text { length, format }, Value::String(text)) => {
                length.holds(count(text.chars().count()), "characters")?;
                format.as_deref().map_or(Ok(()), |format| formed(text, format))
            }
            (Self::Number { range, is_whole }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if *is_whole && number.fract() != 0.0 {
                    return Err("type a whole number".to_owned());
                }
                range.holds(number, "")
            }
            (Self::Boolean, Value::Bool(_)) | (Self::Any, _) => Ok(()),
            (Self::One(all), value) if all.iter().any(|choice| choice.value == *value) => Ok(()),
            (Self::Some(all, range), Value::Array(some)) => {
                if !some.iter().all(|value| all.iter().any(|choice| choice.value == *value)) {
                    return Err(format!("{value} is not among the choices"));
                }
                range.holds(count(some.len()), "choices")
            }
            _ => Err(format!("{value} does not fit")),
        }
    }
}

impl Range {
    /// `, 1 to 5 characters`; nothing where there are no bounds.
    fn words(self, unit: &str) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(", {min} to {max}{unit}"),
            (Some(min), None) => format!(", at least {min}{unit}"),
            (None, Some(max)) => format!(", at most {max}{unit}"),
            (None, None) => String::new(),
        }
    }

    fn holds(self, number: f64, unit: &str) -> Result<(), String> {
        let fits = self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max);
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        if fits { Ok(()) } else { Err(format!("it has to be{}", self.words(&unit).trim_start_matches(','))) }
    }
}

/// The values of a choice: `enum`, with or without names, or constants with titles.
fn choices(schema: &Value) -> Option<Vec<Choice>> {
    if let Some(values) = schema["enum"].as_array() {
        let title =
            |n: usize, value: &Value| schema["enumNames"][n].as_str().map_or_else(|| plain(value), str::to_owned);
        let choice = |(n, value): (usize, &Value)| Choice { value: value.clone(), title: title(n, value) };
        return Some(values.iter().enumerate().map(choice).collect());
    }
    let parts = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let choice = |part: &Value| {
        let value = part.get("const")?.clone();
        let title = part["title"].as_str().map_or_else(|| plain(&value), str::to_owned);
        Some(Choice { value, title })
    };
    parts.iter().map(choice).collect()
}

/// By its value, its title or its place in the list.
fn chosen(all: &[Choice], typed: &str) -> Result<Value, String> {
    let place = || typed.parse::<usize>().ok().and_then(|n| all.get(n.checked_sub(1)?));
    let found = all.iter().find(|choice| plain(&choice.value) == typed);
    let found = found.or_else(|| all.iter().find(|choice| choice.title.eq_ignore_ascii_case(typed))).or_else(place);
    found.map(|choice| choice.value.clone()).ok_or_else(|| format!("{typed} is not among the choices"))
}

/// Whether a text has the format; one that is not known is the server's to judge.
fn formed(text: &str, format: &str) -> Result<(), String> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_gapless = !text.contains(char::is_whitespace);
    let (fits, example) = match format {
        "email" => {
            let parts = text.rsplit_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
            (is_gapless && parts.is_some(), "ada@example.org")
        }
        "uri" => {
            let parts = text.split_once(':').filter(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
            (is_gapless && parts.is_some_and(|(scheme, _)| scheme.chars().all(is_scheme)), "https://example.org/")
        }
        "date" => (text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(), "2026-01-31"),
        "date-time" => (DateTime::parse_from_rfc3339(text).is_ok(), "2026-01-31T12:00:00Z"),
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(format!("type it like {example}")) }
}

/// A text without its quotes; anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
