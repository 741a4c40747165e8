//! Tables that fit: a line an item; columns shrink to what can still be read, then the least important ones go.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width};

use super::Screen;
use super::text::{millis, span, when};
use crate::model::figures::percent;
use crate::model::harmless::line;
use crate::queries::columns::{Cell, Head, Tone, Value};

/// Between two columns.
const GAP: usize = 2;
/// No word is parted here, so that a cell is cut just where it ends to fit.
const NO_DELIMITER: char = '\u{1f}';

/// What stands in a cell as a command writes it: ids and counts whole, a dash for nothing; a text without what a terminal
/// would obey, in one line.
fn written(value: &Value) -> String {
    match value {
        Value::None => "-".to_owned(),
        Value::Text(text) | Value::Id(text) => line(text),
        Value::Number(n) | Value::Count(n) | Value::Faults(n) => n.to_string(),
        Value::Share(part, whole) => percent(*part, *whole),
        Value::Millis(ms) => millis(*ms),
        Value::Span(duration) => span(*duration),
        Value::Ago(duration) => format!("{} ago", span(*duration)),
        Value::Time(at) | Value::When(at) => when(*at),
        Value::Dollars(usd) => format!("{usd:.6}"),
    }
}

fn drawn(cell: &Cell) -> comfy_table::Cell {
    let drawn = comfy_table::Cell::new_owned(written(&cell.value));
    match (&cell.value, cell.tone) {
        (Value::None, _) | (_, Tone::Dim) => drawn.add_attribute(Attribute::Dim),
        (Value::Faults(1..), _) | (_, Tone::Warn | Tone::Bad) => drawn.fg(Color::Red),
        (_, Tone::Good) => drawn.fg(Color::Green),
        (_, Tone::Strong) => drawn.add_attribute(Attribute::Bold),
        (_, Tone::Plain) => drawn,
    }
}

/// How wide the columns of a table are, so that its next part stands under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Widths(Vec<Option<usize>>);

/// The table, without a line break at its end. With the `widths` of an earlier part it has no header, and columns stay as
/// wide as they were unless something new needs more.
pub(in crate::cli) fn table(columns: &[Head], rows: &[Vec<Cell>], screen: &Screen, widths: &mut Widths) -> String {
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
    let title = |c: &Head| comfy_table::Cell::new(c.title).add_attribute(Attribute::Bold);
    table.set_header(Row::from(columns.iter().map(title)));
    for row in rows {
        let mut row = Row::from(row.iter().map(drawn));
        row.max_height(1);
        table.add_row(row);
    }
    let natural = table.column_max_content_widths().into_iter().map(usize::from).collect();
    *widths = fit(columns, natural, screen.width, widths);
    arrange(&mut table, columns, widths);
    let text = table.trim_fmt();
    if first { text } else { text.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default() }
}

fn arrange(table: &mut Table, columns: &[Head], widths: &Widths) {
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
fn fit(columns: &[Head], natural: Vec<usize>, width: Option<usize>, before: &Widths) -> Widths {
    let mut widths: Vec<_> = natural.into_iter().map(Some).collect();
    for (now, before) in widths.iter_mut().zip(&before.0) {
        *now = before.and_then(|before| now.map(|now| now.max(before)));
    }
    let Some(room) = width else { return Widths(widths) };
    loop {
        let shown = widths.iter().flatten().count();
        let taken = widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1);
        let Some(too_much) = taken.checked_sub(room).filter(|n| *n > 0) else { return Widths(widths) };
        let gives = |(c, w): (&Head, &mut Option<usize>)| -> usize {
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

    const COLUMNS: &[Head] = &[
        Head::text("id", "ID", 4, 0),
        Head::text("name", "NAME", 6, 0),
        Head::figure("calls", "CALLS", 1),
        Head::text("note", "NOTE", 5, 2),
    ];

    fn drawn(width: Option<usize>, colour: bool) -> String {
        let screen = Screen { terminal: width.is_some(), width, height: 24, colour };
        let row = |id: &str, calls: i64| {
            vec![Cell::id(id), Cell::text("a long\nna\u{1b}me"), Cell::faults(calls), Cell::default()]
        };
        table(COLUMNS, &[row("550e8400-e29b", 1), row("7", 1000)], &screen, &mut Widths::default())
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
        let columns = &[Head::text("a", "A", 1, 0), Head::text("b", "B", 1, 0)];
        let row = |a: &str| [vec![Cell::text(a), Cell::text("b")]];
        assert_eq!(table(columns, &row("long"), &screen, &mut widths), "A     B\nlong  b");
        assert_eq!(table(columns, &row("x"), &screen, &mut widths), "x     b");
        assert_eq!(table(columns, &row("longer"), &screen, &mut widths), "longer  b");
    }
}
