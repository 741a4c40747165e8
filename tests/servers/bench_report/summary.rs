//! Medians over rounds, and ratios within them.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::machine::Machine;

/// A line of a run: what was measured, on whom, how big, in which round; every other number is a figure.
#[derive(Deserialize)]
pub(crate) struct Line {
    section: String,
    subject: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    round: u64,
    #[serde(flatten)]
    figures: Map<String, Value>,
}

/// A run in short.
#[derive(Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) machine: Machine,
    /// How it was measured, in words.
    pub(crate) conditions: String,
    /// Those measured, in the order of the run, and what to call each.
    pub(crate) subjects: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
}

/// The medians of one subject in one section at one size.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) section: String,
    pub(crate) subject: String,
    /// Connections or sessions, as the section has it.
    pub(crate) size: u64,
    pub(crate) figures: BTreeMap<String, f64>,
}

impl Summary {
    pub(crate) fn of(mut lines: Vec<Line>) -> anyhow::Result<Self> {
        let said = |section: &str, key: &str, lines: &[Line]| -> Vec<(String, String)> {
            let of_section = lines.iter().filter(|line| line.section == section);
            let text = |line: &Line| Some((line.subject.clone(), line.figures.get(key)?.as_str()?.to_owned()));
            of_section.filter_map(text).collect()
        };
        let subjects = said("subject", "label", &lines);
        let conditions = said("conditions", "text", &lines).pop().context("nobody said how it was measured")?.1;
        lines.retain(|line| !matches!(line.section.as_str(), "subject" | "conditions"));
        ensure!(!lines.is_empty(), "nothing was measured");
        add_ratios(&mut lines);
        Ok(Self { machine: Machine::read()?, conditions, subjects, rows: medians(&lines) })
    }

    pub(crate) fn figure(&self, section: &str, subject: &str, size: u64, name: &str) -> Option<f64> {
        let is_it = |row: &&Row| row.section == section && row.subject == subject && row.size == size;
        self.rows.iter().find(is_it)?.figures.get(name).copied()
    }

    /// The sizes at which a section was measured, in the order of the run.
    pub(crate) fn sizes(&self, section: &str) -> Vec<u64> {
        let mut sizes: Vec<u64> = Vec::new();
        for row in self.rows.iter().filter(|row| row.section == section) {
            if !sizes.contains(&row.size) {
                sizes.push(row.size);
            }
        }
        sizes
    }
}

/// A noisy minute hurts all subjects of a round alike, so rates are compared within rounds.
fn add_ratios(lines: &mut [Line]) {
    const YARDSTICKS: [(&str, &str, f64); 2] = [("bare", "percent_of_bare", 100.0), ("rmcp", "times_rmcp", 1.0)];
    let rate = |line: &Line| line.figures.get("per_second").and_then(Value::as_f64);
    for (yardstick, name, unit) in YARDSTICKS {
        let rates: BTreeMap<_, _> = lines
            .iter()
            .filter(|line| line.subject == yardstick)
            .filter_map(|line| Some(((line.section.clone(), line.size, line.round), rate(line)?)))
            .collect();
        for line in &mut *lines {
            let theirs = rates.get(&(line.section.clone(), line.size, line.round));
            if let Some((ours, theirs)) = rate(line).zip(theirs) {
                line.figures.insert(name.to_owned(), Value::from(unit * ours / theirs));
            }
        }
    }
}

fn medians(lines: &[Line]) -> Vec<Row> {
    let mut rows: Vec<(Row, BTreeMap<String, Vec<f64>>)> = Vec::new();
    for line in lines {
        let is_its =
            |(row, _): &(Row, _)| row.section == line.section && row.subject == line.subject && row.size == line.size;
        let at = rows.iter().position(is_its).unwrap_or_else(|| {
            let (section, subject) = (line.section.clone(), line.subject.clone());
            rows.push((Row { section, subject, size: line.size, figures: BTreeMap::new() }, BTreeMap::new()));
            rows.len() - 1
        });
        for (name, value) in &line.figures {
            if let Some(value) = value.as_f64() {
                rows[at].1.entry(name.clone()).or_default().push(value);
            }
        }
    }
    rows.into_iter()
        .map(|(row, all)| Row { figures: all.into_iter().map(|(name, of)| (name, median(of))).collect(), ..row })
        .collect()
}

/// Of at least one value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
