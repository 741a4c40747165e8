//! Whether a server is after a long time what it was at its beginning.

use std::fmt::{self, Display, Formatter};

use anyhow::ensure;
use serde_json::{Map, Value};

use crate::summary::median;
use crate::table::{bytes, count, exact, ms, table};

/// A line of the load: figures by name.
type Sample = Map<String, Value>;

/// What must stay flat: its name, how it is shown, and how much worse the median of the last third may be than that of the
/// first, as a factor and in units. Wide enough for a noisy machine, narrow enough for a leak.
struct Flat {
    name: &'static str,
    label: &'static str,
    show: fn(f64) -> String,
    factor: f64,
    slack: f64,
}

const MIB: f64 = 1024.0 * 1024.0;
const FLAT: [Flat; 5] = [
    Flat { name: "p99_ms", label: "p99", show: ms, factor: 1.5, slack: 1.0 },
    Flat { name: "resident_bytes", label: "memory", show: bytes, factor: 1.15, slack: 4.0 * MIB },
    Flat { name: "descriptors", label: "descriptors", show: exact, factor: 1.0, slack: 4.0 },
    Flat { name: "wal_bytes", label: "WAL", show: bytes, factor: 1.5, slack: 4.0 * MIB },
    Flat { name: "database_bytes", label: "database", show: bytes, factor: 1.25, slack: 4.0 * MIB },
];

pub(crate) struct Verdict {
    samples: Vec<Vec<String>>,
    /// Of each of [`FLAT`]: first third, last third.
    thirds: Vec<(f64, f64)>,
    errors: f64,
}

impl Verdict {
    pub(crate) fn of(samples: &[Sample]) -> anyhow::Result<Self> {
        ensure!(samples.len() >= 3, "{} intervals have no thirds", samples.len());
        let figure = |sample: &Sample, name: &str| sample.get(name).and_then(Value::as_f64).unwrap_or_default();
        let third = samples.len() / 3;
        let of = |part: &[Sample], name: &str| median(part.iter().map(|sample| figure(sample, name)).collect());
        let thirds = FLAT
            .iter()
            .map(|flat| (of(&samples[..third], flat.name), of(&samples[samples.len() - third..], flat.name)));
        let shown = samples.iter().map(|sample| {
            let before = ["at_seconds", "per_second", "errors", "opened", "ended_by_others"];
            let before = before.iter().map(|name| count(figure(sample, name)));
            before.chain(FLAT.iter().map(|flat| (flat.show)(figure(sample, flat.name)))).collect()
        });
        let errors = samples.iter().map(|sample| figure(sample, "errors")).sum();
        Ok(Self { samples: shown.collect(), thirds: thirds.collect(), errors })
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.errors == 0.0 && FLAT.iter().zip(&self.thirds).all(|(flat, thirds)| flat.holds(thirds))
    }
}

impl Flat {
    fn limit(&self, first: f64) -> f64 {
        first * self.factor + self.slack
    }

    fn holds(&self, (first, last): &(f64, f64)) -> bool {
        *last <= self.limit(*first)
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let labels = FLAT.iter().map(|flat| flat.label);
        let head: Vec<_> =
            ["seconds", "calls/s", "errors", "opened", "ended by others"].into_iter().chain(labels).collect();
        writeln!(f, "{}", table(&head, &self.samples))?;
        let row = |(flat, thirds): (&Flat, &(f64, f64))| {
            let verdict = if flat.holds(thirds) { "flat" } else { "worse" };
            let (show, limit) = (flat.show, flat.limit(thirds.0));
            vec![flat.label.to_owned(), show(thirds.0), show(thirds.1), show(limit), verdict.to_owned()]
        };
        let rows: Vec<_> = FLAT.iter().zip(&self.thirds).map(row).collect();
        f.write_str(&table(&["", "first third", "last third", "at most", ""], &rows))?;
        if self.errors > 0.0 { writeln!(f, "\n{} calls went wrong", self.errors) } else { Ok(()) }
    }
}
