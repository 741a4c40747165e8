//! The filter language: plain words, `column:text`, `column>figure`, each with `-` before it to mean the opposite.
//!
//! ```text
//! claude status:error idle>10m errors>0 -user:alice
//! ```

use super::table::{Listing, Row};
use super::term::{Operator, Term, Test, canonical};

/// A filter: what was typed, and its conditions. All must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter {
    /// As typed.
    pub(super) text: String,
    /// The conditions.
    pub(super) terms: Vec<Term>,
}

impl Filter {
    /// Reads a filter; every text is one.
    pub(super) fn parse(text: &str) -> Self {
        let terms = words(text).iter().map(|word| Term::parse(word)).collect();
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

#[cfg(test)]
mod tests {
    use super::super::table::Cell;
    use super::*;
    use crate::queries::columns::{self, Head};

    fn text(text: &str) -> Cell {
        Cell::written(columns::Cell::text(text))
    }

    fn listing() -> Listing {
        let row = |key: &str, client: &str, state: &str, idle: f64| Row {
            key: key.into(),
            cells: vec![text(client), text(state), Cell { number: Some(idle), ..text("x") }],
            hidden: vec![("id", format!("protocol-{key}"))],
        };
        let rows = vec![
            row("1", "Claude Code", "active", 5.0),
            row("2", "Cursor", "active", 900.0),
            row("3", "会話", "expired", 60.0),
        ];
        let columns = vec![
            Head::text("client", "CLIENT", 4, 0),
            Head::text("state", "STATE", 4, 0),
            Head::figure("idle", "IDLE", 0),
        ];
        Listing { columns, rows, empty: String::new() }
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
