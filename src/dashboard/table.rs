//! Tables: what every list on every screen is. Columns are dropped by importance where the screen is narrow, and where
//! they have nothing to say.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{pad, width};
use super::theme::{Theme, Tone};

/// Between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name in filters, sorting and exports.
    pub(super) key: &'static str,
    /// Its head.
    pub(super) title: &'static str,
    /// The least and the most columns of the screen that it takes.
    pub(super) width: (usize, usize),
    /// Zero stays longest where there is no room for all.
    pub(super) rank: u8,
    /// Figures stand to the right.
    pub(super) right: bool,
}

/// A column of text.
pub(super) const fn text(key: &'static str, title: &'static str, width: (usize, usize), rank: u8) -> Column {
    Column { key, title, width, rank, right: false }
}

/// A column of figures.
pub(super) const fn figure(key: &'static str, title: &'static str, rank: u8) -> Column {
    Column { key, title, width: (1, 12), rank, right: true }
}

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
    /// A text.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self { text: super::text::clean(text.as_ref()), number: None, tone: Tone::Plain }
    }

    /// A figure, and how it is written.
    pub(super) fn number(number: f64, text: impl Into<String>) -> Self {
        Self { text: text.into(), number: Some(number), tone: Tone::Plain }
    }

    /// A count.
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not occur")]
    pub(super) fn count(n: i64) -> Self {
        Self::number(n as f64, super::text::count(n))
    }

    /// A latency.
    pub(super) fn millis(ms: Option<f64>) -> Self {
        ms.map_or_else(Self::default, |ms| Self::number(ms, super::text::millis(ms)))
    }

    /// A span of time, compared in seconds.
    pub(super) fn span(span: std::time::Duration) -> Self {
        Self::number(span.as_secs_f64(), super::text::span(span))
    }

    /// The same cell in that tone.
    #[must_use]
    pub(super) fn toned(mut self, tone: Tone) -> Self {
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

/// A list.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    /// Its columns.
    pub(super) columns: &'static [Column],
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// What to do where it is empty.
    pub(super) empty: String,
}

/// By which column, and whether the greatest come first.
pub(super) type Sort = (&'static str, bool);

impl Listing {
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
                let (least, greatest) = self.columns[i].width;
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
        order.sort_by_key(|at| (self.columns[wanted[*at].0].width.1, self.columns[wanted[*at].0].rank));
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

/// Where a table stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks<'a> {
    /// The colours.
    pub(super) theme: Theme,
    /// The first row that is seen.
    pub(super) offset: usize,
    /// The row under the cursor.
    pub(super) cursor: Option<usize>,
    /// How it is sorted.
    pub(super) sort: Option<Sort>,
    /// The keys of tagged rows.
    pub(super) tagged: &'a std::collections::BTreeSet<String>,
}

/// Draws a table: heads, then rows; the first column of the screen shows tags.
pub(super) fn draw(listing: &Listing, area: Rect, buffer: &mut Buffer, looks: Looks<'_>) {
    if area.height == 0 || area.width < 2 {
        return;
    }
    let columns = listing.fit(usize::from(area.width) - 1);
    let mut head = String::from(" ");
    for (i, wide) in &columns {
        let column = &listing.columns[*i];
        let sign = match looks.sort {
            Some((key, true)) if key == column.key => "▾",
            Some((key, false)) if key == column.key => "▴",
            _ => "",
        };
        // The sign of the order stands next to the name, and in the gap where the name takes all.
        let inside = !column.right && width(column.title) < *wide;
        head.push_str(&pad(
            &if inside { format!("{}{sign}", column.title) } else { column.title.to_owned() },
            *wide,
            column.right,
        ));
        head.push_str(&pad(if inside { "" } else { sign }, GAP, false));
    }
    buffer.set_stringn(area.x, area.y, &head, area.width.into(), looks.theme.style(Tone::Strong));
    for (line, (at, row)) in listing.rows.iter().enumerate().skip(looks.offset).enumerate() {
        let Some(y) = u16::try_from(line + 1).ok().filter(|line| *line < area.height).map(|line| area.y + line) else {
            break;
        };
        draw_row(row, &columns, listing.columns, Rect { y, height: 1, ..area }, buffer, looks);
        if looks.cursor == Some(at) {
            buffer.set_style(Rect { y, height: 1, ..area }, Theme::cursor());
        }
    }
}

fn draw_row(
    row: &Row,
    fitted: &[(usize, usize)],
    columns: &[Column],
    area: Rect,
    buffer: &mut Buffer,
    looks: Looks<'_>,
) {
    let tag = if looks.tagged.contains(&row.key) { "*" } else { " " };
    buffer.set_stringn(area.x, area.y, tag, 1, looks.theme.style(Tone::Warn));
    let mut x = area.x + 1;
    for (i, wide) in fitted {
        let Some(cell) = row.cells.get(*i) else { continue };
        let text = pad(&cell.text, *wide, columns[*i].right);
        buffer.set_stringn(x, area.y, &text, area.right().saturating_sub(x).into(), looks.theme.style(cell.tone));
        x = x.saturating_add(u16::try_from(wide + GAP).unwrap_or(u16::MAX));
        if x >= area.right() {
            break;
        }
    }
}
