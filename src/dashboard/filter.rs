//! The filter language: plain words, `column:text`, `column>figure`, each with `-` before it to mean the opposite.
//!
//! ```text
//! claude status:error idle>10m errors>0 -user:alice
//! ```

use std::time::Duration;

use super::table::{Listing, Row};

/// A filter: what was typed, and its conditions. All must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter {
    /// As typed.
    pub(super) text: String,
    /// The conditions.
    pub(super) terms: Vec<Term>,
}

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

impl Filter {
    /// Reads a filter; every text is one.
    pub(super) fn parse(text: &str) -> Self {
        let terms = words(text).iter().map(|word| term(word)).collect();
        Self { text: text.trim().to_owned(), terms }
    }

    /// The filter with this condition in place of others on that column.
    pub(super) fn with(&self, field: &str, value: &str) -> Self {
        let kept = words(&self.text);
        let others = kept.iter().filter(|word| !word.starts_with(&format!("{field}:")));
        let quoted = if value.contains(' ') { format!("{field}:\"{value}\"") } else { format!("{field}:{value}") };
        let mut parts: Vec<String> = others.map(|word| requoted(word)).collect();
        parts.push(quoted);
        Self::parse(&parts.join(" "))
    }

    /// What that column must hold, if the filter says so.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.terms.iter().filter(|term| !term.not).find_map(|term| match &term.test {
            Test::Field(field, value) if canonical(field) == canonical(name) => Some(value.as_str()),
            _ => None,
        })
    }

    /// The least figure that column must have, if the filter says so.
    pub(super) fn least(&self, name: &str) -> Option<f64> {
        self.terms.iter().filter(|term| !term.not).find_map(|term| match &term.test {
            Test::Compare(field, Operator::Above | Operator::AtLeast, value) if canonical(field) == name => {
                Some(*value)
            }
            _ => None,
        })
    }

    /// A column that the filter names and the list has not.
    pub(super) fn unknown<'a>(&'a self, listing: &Listing) -> Option<&'a str> {
        self.terms.iter().find_map(|term| match &term.test {
            Test::Field(name, _) | Test::Compare(name, ..) if !is_known(name, listing) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Keeps the rows that pass, but for conditions on the given columns, which somebody else has seen to.
    pub(super) fn apply(&self, listing: &mut Listing, seen_to: &[&str]) {
        if self.terms.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut listing.rows);
        let passes = |row: &Row| self.terms.iter().all(|term| term.holds(row, listing, seen_to));
        listing.rows = rows.into_iter().filter(passes).collect();
    }
}

impl Term {
    fn holds(&self, row: &Row, listing: &Listing, seen_to: &[&str]) -> bool {
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

fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

fn is_known(name: &str, listing: &Listing) -> bool {
    let name = canonical(name);
    listing.column(name).is_some() || listing.rows.iter().any(|row| row.hidden.iter().any(|(key, _)| *key == name))
}

/// Words, apart at spaces that do not stand in quotes; the quotes fall away.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn requoted(word: &str) -> String {
    match word.split_once(':') {
        Some((name, value)) if value.contains(' ') => format!("{name}:\"{value}\""),
        _ => word.to_owned(),
    }
}

fn term(word: &str) -> Term {
    match word.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => Term { test: test(rest), not: true },
        _ => Term { test: test(word), not: false },
    }
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

#[cfg(test)]
mod tests {
    use super::super::table::{Cell, Column, figure as figures, text};
    use super::*;

    const COLUMNS: &[Column] =
        &[text("client", "CLIENT", (4, 20), 0), text("state", "STATE", (4, 20), 0), figures("idle", "IDLE", 0)];

    fn listing() -> Listing {
        let row = |key: &str, client: &str, state: &str, idle: f64| Row {
            key: key.into(),
            cells: vec![Cell::text(client), Cell::text(state), Cell::number(idle, "x")],
            hidden: vec![("id", format!("protocol-{key}"))],
        };
        let rows = vec![
            row("1", "Claude Code", "active", 5.0),
            row("2", "Cursor", "active", 900.0),
            row("3", "会話", "expired", 60.0),
        ];
        Listing { columns: COLUMNS, rows, empty: String::new() }
    }

    fn keys(filter: &str) -> String {
        let mut listing = listing();
        Filter::parse(filter).apply(&mut listing, &[]);
        listing.rows.iter().map(|row| row.key.as_str()).collect()
    }

    #[test]
    fn all_conditions_must_hold() {
        for (filter, expected) in [
            ("", "123"),
            ("CLAUDE", "1"),
            ("c active", "12"),
            ("status:expired", "3"),
            ("client:\"claude code\"", "1"),
            ("idle>1m", "2"),
            ("idle>=60", "23"),
            ("idle<1m state:active", "1"),
            ("-client:cursor", "13"),
            ("-会話", "12"),
            ("id:protocol-2", "2"),
            ("idle>soon", ""),
            ("nowhere:x", ""),
        ] {
            assert_eq!(keys(filter), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_no_column_is_told() {
        assert_eq!(Filter::parse("colour:red").unknown(&listing()), Some("colour"));
        assert_eq!(Filter::parse("status:red id:1 idle>3").unknown(&listing()), None);
    }

    #[test]
    fn a_condition_replaces_the_one_on_its_column() {
        let filter = Filter::parse("x tool:a client:\"b c\"");
        assert_eq!(filter.with("tool", "d e").text, "x client:\"b c\" tool:\"d e\"");
        assert_eq!(filter.field("client"), Some("b c"));
        assert_eq!(Filter::parse("errors>=2").least("errors"), Some(2.0));
    }

    #[test]
    fn conditions_that_the_store_has_seen_to_are_left_alone() {
        let mut listing = listing();
        Filter::parse("idle>1h").apply(&mut listing, &["idle"]);
        assert_eq!(listing.rows.len(), 3);
    }
}
