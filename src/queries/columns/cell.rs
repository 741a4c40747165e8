//! Cells: what they hold, and how that is meant.

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// What stands in a cell, and how it is meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// What it holds.
    pub value: Value,
    /// How it is meant.
    pub tone: Tone,
}

/// What a cell holds. How that is written is the business of whoever shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    None,
    /// A text.
    Text(String),
    /// An id, of which a beginning is enough to people.
    Id(String),
    /// A number that is no count: of a boot, of a process.
    Number(i64),
    /// A count.
    Count(i64),
    /// A count that should be zero.
    Faults(i64),
    /// A part of a whole.
    Share(i64, i64),
    /// A latency in milliseconds.
    Millis(f64),
    /// A span of time.
    Span(Duration),
    /// How long ago something was.
    Ago(Duration),
    /// A moment of a day that goes without saying.
    Time(Timestamp),
    /// A moment with its day.
    When(Timestamp),
    /// An amount in US dollars.
    Dollars(f64),
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Like any other.
    #[default]
    Plain,
    /// Less important, or over and done with.
    Dim,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// A heading.
    Strong,
}

impl Cell {
    /// A text; nothing, if it is empty.
    pub fn text(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        if text.is_empty() { Self::default() } else { Value::Text(text.to_owned()).into() }
    }

    /// A text, or nothing.
    pub fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(Self::default, Self::text)
    }

    /// An id.
    pub fn id(id: impl Into<String>) -> Self {
        Value::Id(id.into()).into()
    }

    /// An id, or nothing.
    pub fn maybe_id(id: Option<&str>) -> Self {
        id.map_or_else(Self::default, Self::id)
    }

    /// A number that is no count, or nothing.
    pub fn maybe_number(n: Option<i64>) -> Self {
        n.map_or_else(Self::default, |n| Value::Number(n).into())
    }

    /// A count.
    pub fn count(n: i64) -> Self {
        Value::Count(n).into()
    }

    /// A count that should be zero.
    pub fn faults(n: i64) -> Self {
        Value::Faults(n).into()
    }

    /// A part of a whole; nothing of nothing.
    pub fn share(part: i64, whole: i64) -> Self {
        if whole == 0 { Self::default() } else { Value::Share(part, whole).into() }
    }

    /// A latency, where it is known.
    pub fn millis(ms: Option<f64>) -> Self {
        ms.map_or_else(Self::default, |ms| Value::Millis(ms).into())
    }

    /// A span of time.
    pub fn span(span: Duration) -> Self {
        Value::Span(span).into()
    }

    /// How long ago something was.
    pub fn ago(at: Timestamp, now: Timestamp) -> Self {
        Value::Ago(now.since(at)).into()
    }

    /// The same cell in that tone.
    #[must_use]
    pub fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        Self { value, tone: Tone::Plain }
    }
}
