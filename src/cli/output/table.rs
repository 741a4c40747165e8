//! Tables that fit: a line an item; columns shrink to what can still be read, then the least important ones go.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width};

use super::Screen;
use super::text::line;

/// Between two columns.
const GAP: usize = 2;
/// No word is parted here, so that a cell is cut just where it ends to fit.
const NO_DELIMITER: char = '\u{1f}';

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Column {
    title: &'static str,
    /// Narrower than this it says nothing; 0 means that it is never cut.
    least: usize,
    /// The highest goes first when the terminal is too narrow; 0 stays.
    rank: u8,
    right: bool,
}

/// A column that is cut to no less than `least` (0: never), and hidden by its `rank` (0: never).
pub(in crate::cli) const fn column(title: &'static str, least: usize, rank: u8) -> Column {
    Column { title, least, rank, right: false }
}

impl Column {
    /// The same under another title.
    pub(in crate::cli) const fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    /// The same for numbers.
    pub(in crate::cli) const fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// What stands in a cell, and how it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Bad,
    Faint,
}

impl Cell {
    /// A text; what a terminal would obey is taken out, and line breaks with it.
    pub(in crate::cli) fn new(text: impl AsRef<str>) -> Self {
        Self { text: line(text.as_ref()), tone: Tone::Plain }
    }

    /// A text, or a dash for none.
    pub(in crate::cli) fn or_dash(text: Option<impl AsRef<str>>) -> Self {
        text.filter(|text| !text.as_ref().is_empty()).map_or_else(|| Self::new("-").faint(), Self::new)
    }

    /// As it should be.
    pub(in crate::cli) fn good(self) -> Self {
        Self { tone: Tone::Good, ..self }
    }

    /// Worth a look.
    pub(in crate::cli) fn bad(self) -> Self {
        Self { tone: Tone::Bad, ..self }
    }

    /// Over and done with.
    pub(in crate::cli) fn faint(self) -> Self {
        Self { tone: Tone::Faint, ..self }
    }

    fn drawn(self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(self.text);
        match self.tone {
            Tone::Plain => cell,
            Tone::Good => cell.fg(Color::Green),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Faint => cell.add_attribute(Attribute::Dim),
        }
    }
}

/// How wide the columns of a table are, so that its next part stands under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Widths(Vec<Option<usize>>);

/// The table, without a line break at its end. With the `widths` of an earlier part it has no header, and columns stay as
/// wide as they were unless something new needs more.
pub(in crate::cli) fn table(columns: &[Column], rows: Vec<Vec<Cell>>, screen: &Screen, widths: &mut Widths) -> String {
    let first = widths.0.is_empty();
    let mut table = Table::new();
    table.load_style(NOTHING).set_delimiter(NO_DELIMITER).set_content_arrangement(ContentArrangement::Dynamic);
    // Wider than any table: that it fits is our business, below.
    table.set_width(u16::MAX);
    if screen.colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    let title = |c: &Column| comfy_table::Cell::new(c.title).add_attribute(Attribute::Bold);
    table.set_header(Row::from(columns.iter().map(title)));
    for row in rows {
        let mut row = Row::from(row.into_iter().map(Cell::drawn));
        row.max_height(1);
        table.add_row(row);
    }
    let natural = table.column_max_content_widths().into_iter().map(usize::from).collect();
    *widths = fit(columns, natural, screen.width, widths);
    arrange(&mut table, columns, widths);
    let text = table.trim_fmt();
    if first { text } else { text.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default() }
}

fn arrange(table: &mut Table, columns: &[Column], widths: &Widths) {
    let last = widths.0.iter().rposition(Option::is_some);
    for (i, (drawn, column)) in table.column_iter_mut().zip(columns).enumerate() {
        let gap = if Some(i) == last { 0 } else { GAP };
        let narrow = |width: usize| u16::try_from(width).unwrap_or(u16::MAX);
        drawn.set_padding((0, narrow(gap)));
        if column.right {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
        drawn.set_constraint(match widths.0[i] {
            Some(width) => ColumnConstraint::Absolute(Width::Fixed(narrow(width + gap))),
            None => ColumnConstraint::Hidden,
        });
    }
}

/// The widths of the columns that are shown. The widest gives way first; if all are as narrow as can be, a column goes.
fn fit(columns: &[Column], natural: Vec<usize>, width: Option<usize>, before: &Widths) -> Widths {
    let mut widths: Vec<_> = natural.into_iter().map(Some).collect();
    for (now, before) in widths.iter_mut().zip(&before.0) {
        *now = before.and_then(|before| now.map(|now| now.max(before)));
    }
    let Some(room) = width else { return Widths(widths) };
    loop {
        let shown = widths.iter().flatten().count();
        let taken = widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1);
        let Some(too_much) = taken.checked_sub(room).filter(|n| *n > 0) else { return Widths(widths) };
        let gives = |(c, w): (&Column, &mut Option<usize>)| -> usize {
            let least = if c.least == 0 { usize::MAX } else { c.least };
            w.map_or(0, |w| w.saturating_sub(least))
        };
        let spare: usize = columns.iter().zip(widths.iter_mut()).map(gives).sum();
        if spare >= too_much {
            let widest = columns.iter().zip(widths.iter_mut()).filter(|(c, w)| c.least > 0 && *w > &mut Some(c.least));
            if let Some((_, Some(width))) = widest.max_by_key(|(_, w)| **w) {
                *width -= 1;
            }
            continue;
        }
        let hideable = columns.iter().enumerate().filter(|(i, c)| widths[*i].is_some() && c.rank > 0);
        if let Some((i, _)) = hideable.max_by_key(|(_, c)| c.rank) {
            widths[i] = None;
            continue;
        }
        // What stays is all that matters, as narrow as can be: the terminal breaks its lines.
        for (column, width) in columns.iter().zip(&mut widths).filter(|(c, _)| c.least > 0) {
            *width = width.map(|width| width.min(column.least));
        }
        return Widths(widths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[column("ID", 4, 0), column("NAME", 6, 0), column("CALLS", 0, 1).right(), column("NOTE", 5, 2)];

    fn drawn(width: Option<usize>, colour: bool) -> String {
        let screen = Screen { terminal: width.is_some(), width, height: 24, colour };
        let row = |id: &str, calls: &str| {
            let calls = Cell::new(calls).bad();
            vec![Cell::new(id), Cell::new("a long\nna\u{1b}me"), calls, Cell::or_dash(None::<&str>)]
        };
        let rows = vec![row("550e8400-e29b", "1"), row("7", "1000")];
        table(COLUMNS, rows, &screen, &mut Widths::default())
    }

    #[test]
    fn off_a_terminal_nothing_is_cut() {
        let expected = "\
ID             NAME          CALLS  NOTE
550e8400-e29b  a long na\u{fffd}me      1  -
7              a long na\u{fffd}me   1000  -";
        assert_eq!(drawn(None, false), expected);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_then_hides_the_least() {
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        for width in 1..60 {
            let text = drawn(Some(width), false);
            assert!(widest(&text) <= Some(width.max(12)), "{width}:\n{text}");
            assert_eq!(text.lines().count(), 3, "{width}:\n{text}");
        }
        let narrow = "ID      NAME    CALLS  NOTE\n550e8…  a lon…      1  -\n7       a lon…   1000  -";
        assert_eq!(drawn(Some(27), false), narrow);
        let narrower = "ID        NAME     CALLS\n550e840…  a long…      1\n7         a long…   1000";
        assert_eq!(drawn(Some(24), false), narrower);
        assert_eq!(drawn(Some(12), false), "ID    NAME\n550…  a lon…\n7     a lon…");
    }

    #[test]
    fn colours_only_where_they_are_welcome() {
        assert!(drawn(Some(80), true).contains("\u{1b}["));
        assert!(!drawn(Some(80), false).contains("\u{1b}["));
    }

    #[test]
    fn the_next_part_stands_under_the_first() {
        let screen = Screen { terminal: false, width: None, height: 24, colour: false };
        let mut widths = Widths::default();
        let columns = &[column("A", 1, 0), column("B", 1, 0)];
        let row = |a: &str| vec![vec![Cell::new(a), Cell::new("b")]];
        assert_eq!(table(columns, row("long"), &screen, &mut widths), "A     B\nlong  b");
        assert_eq!(table(columns, row("x"), &screen, &mut widths), "x     b");
        assert_eq!(table(columns, row("longer"), &screen, &mut widths), "longer  b");
    }
}
