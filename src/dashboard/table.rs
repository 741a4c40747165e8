//! Tables: what every list on every screen is. Columns are dropped by importance where the screen is narrow, and where
//! they have nothing to say.

use std::cmp::Ordering;

use super::text::{clean, clock, count, millis, percent, span, when, width};
use super::theme::Tone;
use crate::queries::columns::{self, Column, Head, Listed, Value};

/// Between two columns.
pub(super) const GAP: usize = 2;

/// A cell: what it shows, and what it is sorted and compared by.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cell {
    /// The text.
    pub(super) text: String,
    /// The figure behind it.
    pub(super) number: Option<f64>,
    /// How it looks.
    pub(super) tone: Tone,
}

impl Cell {
    /// A cell as the dashboard writes it: ids and counts shortened, nothing for nothing.
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not occur")]
    pub(super) fn written(cell: columns::Cell) -> Self {
        let number = |number: f64, text: String| Self { text, number: Some(number), tone: cell.tone };
        let text = |text: String| Self { text, number: None, tone: cell.tone };
        match cell.value {
            Value::None => Self { tone: cell.tone, ..Self::default() },
            Value::Text(words) => text(clean(&words)),
            Value::Id(id) => text(clean(id.get(..8).unwrap_or(&id))),
            Value::Number(n) => number(n as f64, n.to_string()),
            Value::Count(n) => number(n as f64, count(n)),
            Value::Faults(n) => number(n as f64, count(n)).toned(if n > 0 { Tone::Warn } else { Tone::Dim }),
            Value::Share(part, whole) => number(part as f64 * 100.0 / whole as f64, percent(part, whole)),
            Value::Millis(ms) => number(ms, millis(ms)),
            Value::Span(time) => number(time.as_secs_f64(), span(time)),
            Value::Ago(time) => number(time.as_secs_f64(), format!("{} ago", span(time))),
            Value::Time(at) => text(clock(at)),
            Value::When(at) => text(when(at)),
            Value::Dollars(usd) => number(usd, format!("{usd:.6}")),
        }
    }

    /// The same cell in that tone.
    fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Figures before texts, texts regardless of case, empty cells last in either direction.
    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let order = match (self.number, other.number) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => match (self.text.is_empty(), other.text.is_empty()) {
                (false, false) => self.text.to_lowercase().cmp(&other.text.to_lowercase()),
                (a, b) => return a.cmp(&b),
            },
        };
        if descending { order.reverse() } else { order }
    }
}

/// A row.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// What it is of: the cursor stays on it when the list changes.
    pub(super) key: String,
    /// A cell a column.
    pub(super) cells: Vec<Cell>,
    /// What filters find besides the cells.
    pub(super) hidden: Vec<(&'static str, String)>,
}

/// The cells of a thing.
pub(super) fn cells<T: Listed>(columns: &[Column<T>], thing: &T, context: &T::Context) -> Vec<Cell> {
    columns.iter().map(|column| Cell::written((column.cell)(thing, context))).collect()
}

/// What stands above columns.
pub(super) fn heads<T: Listed>(columns: &[Column<T>]) -> Vec<Head> {
    columns.iter().map(|column| column.head).collect()
}

/// A list.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    /// What stands above its columns.
    pub(super) columns: Vec<Head>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// What to do where it is empty.
    pub(super) empty: String,
}

/// By which column, and whether the greatest come first.
pub(super) type Sort = (&'static str, bool);

impl Listing {
    /// A list of rows with such columns; the text says what to do where there are none.
    pub(super) fn of<T: Listed>(columns: &[Column<T>], rows: Vec<Row>, empty: impl Into<String>) -> Self {
        Self { columns: heads(columns), rows, empty: empty.into() }
    }

    /// Which column has that name.
    pub(super) fn column(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }

    /// Sorts the rows; those that are equal keep their order.
    pub(super) fn sort(&mut self, (key, descending): Sort) {
        let Some(column) = self.column(key) else { return };
        let empty = Cell::default();
        self.rows.sort_by(|a, b| {
            let (a, b) = (a.cells.get(column).unwrap_or(&empty), b.cells.get(column).unwrap_or(&empty));
            a.compare(b, descending)
        });
    }

    /// The columns that have something to say and room to say it, with their widths.
    pub(super) fn fit(&self, room: usize) -> Vec<(usize, usize)> {
        let natural = |i: usize| {
            let most = self.rows.iter().filter_map(|row| row.cells.get(i)).map(|cell| width(&cell.text)).max();
            most.filter(|most| *most > 0).map(|most| (most, width(self.columns[i].title)))
        };
        let mut wanted: Vec<_> = (0..self.columns.len())
            .filter_map(|i| {
                let (most, head) = natural(i)?;
                let Head { least, most: greatest, .. } = self.columns[i];
                let wish = most.min(greatest).max(head);
                // A figure that is cut is another figure.
                let least = if self.columns[i].right { wish } else { wish.min(least.max(head)) };
                Some((i, least, wish))
            })
            .collect();
        // The least important goes first, of equals the last.
        while wanted.len() > 1 && least_room(&wanted) > room {
            let Some(worst) = wanted.iter().enumerate().max_by_key(|(at, w)| (self.columns[w.0].rank, *at)) else {
                break;
            };
            wanted.remove(worst.0);
        }
        let mut spare = room.saturating_sub(least_room(&wanted));
        let mut order: Vec<_> = (0..wanted.len()).collect();
        // Names before sentences: a sentence takes what is left.
        order.sort_by_key(|at| (self.columns[wanted[*at].0].most, self.columns[wanted[*at].0].rank));
        for at in order {
            let more = (wanted[at].2 - wanted[at].1).min(spare);
            wanted[at].1 += more;
            spare -= more;
        }
        wanted.into_iter().map(|(i, least, _)| (i, least.min(room))).collect()
    }

    /// The column whose head or cells stand at that place of a table as wide as `room`.
    pub(super) fn column_at(&self, x: usize, room: usize) -> Option<&'static str> {
        let mut end = 1;
        for (i, wide) in self.fit(room.saturating_sub(1)) {
            end += wide + GAP;
            if x < end {
                return Some(self.columns[i].key);
            }
        }
        None
    }
}

fn least_room(wanted: &[(usize, usize, usize)]) -> usize {
    wanted.iter().map(|(_, least, _)| least + GAP).sum::<usize>().saturating_sub(GAP)
}
