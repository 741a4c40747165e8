//! Tables, as they are drawn.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::dashboard::table::{GAP, Listing, Row, Sort};
use crate::dashboard::text::{pad, width};
use crate::dashboard::theme::{Theme, Tone};
use crate::queries::columns::Head;

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
    pub(super) tagged: &'a BTreeSet<String>,
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
        draw_row(row, &columns, &listing.columns, Rect { y, height: 1, ..area }, buffer, looks);
        if looks.cursor == Some(at) {
            buffer.set_style(Rect { y, height: 1, ..area }, Theme::cursor());
        }
    }
}

fn draw_row(row: &Row, fitted: &[(usize, usize)], columns: &[Head], area: Rect, buffer: &mut Buffer, looks: Looks<'_>) {
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
