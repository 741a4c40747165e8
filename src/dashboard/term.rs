//! A condition of a filter.

use std::time::Duration;

use super::table::{Listing, Row};

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    /// What has to be so.
    pub(super) test: Test,
    /// Or must not be.
    pub(super) not: bool,
}

/// What has to be so.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// The letters stand somewhere in the row.
    Word(String),
    /// The letters stand in that column.
    Field(String, String),
    /// The figure of that column compares so.
    Compare(String, Operator, f64),
}

/// How figures compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
}

const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Equal),
];

/// Other names of columns.
const ALIASES: [(&str, &str); 8] = [
    ("status", "state"),
    ("session", "id"),
    ("err", "errors"),
    ("last_tool", "tool"),
    ("duration", "ms"),
    ("took", "ms"),
    ("warn", "warning"),
    ("expires", "left"),
];

impl Term {
    /// Reads a condition; every word is one.
    pub(super) fn parse(word: &str) -> Self {
        match word.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => Self { test: test(rest), not: true },
            _ => Self { test: test(word), not: false },
        }
    }

    /// Whether it holds for a row of that list; one on a column that somebody else has seen to does.
    pub(super) fn holds(&self, row: &Row, listing: &Listing, seen_to: &[&str]) -> bool {
        let holds = match &self.test {
            Test::Word(word) => {
                let mut texts = row.cells.iter().map(|cell| &cell.text).chain(row.hidden.iter().map(|(_, text)| text));
                row.key.to_lowercase().contains(word) || texts.any(|text| text.to_lowercase().contains(word))
            }
            Test::Field(name, _) | Test::Compare(name, ..) if seen_to.contains(&canonical(name)) => return true,
            Test::Field(name, value) => {
                let name = canonical(name);
                let cell = listing.column(name).and_then(|at| row.cells.get(at)).map(|cell| &cell.text);
                let hidden = row.hidden.iter().filter(|(key, _)| *key == name).map(|(_, text)| text);
                cell.into_iter().chain(hidden).any(|text| text.to_lowercase().contains(value))
            }
            Test::Compare(name, operator, value) => {
                let cell = listing.column(canonical(name)).and_then(|at| row.cells.get(at));
                cell.and_then(|cell| cell.number).is_some_and(|number| operator.holds(number, *value))
            }
        };
        holds != self.not
    }
}

impl Operator {
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Above => a > b,
            Self::AtLeast => a >= b,
            Self::Below => a < b,
            Self::AtMost => a <= b,
            Self::Equal => (a - b).abs() < f64::EPSILON,
        }
    }
}

/// The name of a column that may have others.
pub(super) fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

fn test(word: &str) -> Test {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain = || Test::Word(word.to_lowercase());
    let Some(at) = word.find(['>', '<', '=', ':']) else { return plain() };
    let (name, rest) = word.split_at(at);
    if !is_name(name) {
        return plain();
    }
    let name = name.to_lowercase();
    if let Some(value) = rest.strip_prefix(':') {
        return Test::Field(name, value.to_lowercase());
    }
    let operator = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)));
    match operator.and_then(|(operator, value)| Some((operator, figure(value)?))) {
        Some((operator, value)) => Test::Compare(name, operator, value),
        None => plain(),
    }
}

/// `10`, `2.5k`, `20%`, `150ms`, `10m`, `1h30m`: times are in seconds, but for those in `ms`.
fn figure(text: &str) -> Option<f64> {
    let scaled = |suffix: &str, by: f64| text.strip_suffix(suffix)?.parse::<f64>().ok().map(|n| n * by);
    text.parse()
        .ok()
        .or_else(|| scaled("ms", 1.0))
        .or_else(|| scaled("%", 1.0))
        .or_else(|| scaled("k", 1e3))
        .or_else(|| scaled("M", 1e6))
        .or_else(|| humantime::parse_duration(text).ok().as_ref().map(Duration::as_secs_f64))
}
