//! The header, which is always there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::write::write;
use crate::dashboard::text::width;
use crate::dashboard::theme::Theme;
use crate::dashboard::view_model::Header;

/// Draws it.
pub(super) fn draw(header: &Header, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let clock = u16::try_from(width(&header.clock.0)).unwrap_or(0);
    write(&header.server, theme, (area.x, area.y), area.right().saturating_sub(clock + 1), buffer);
    let from = area.right().saturating_sub(clock);
    write(std::slice::from_ref(&header.clock), theme, (from, area.y), area.right(), buffer);
    let mut below = vec![&header.sessions];
    below.extend((area.height > 3).then_some(&header.curves));
    below.push(&header.warning);
    for (y, line) in (area.y + 1..).zip(below) {
        write(line, theme, (area.x, y), area.right(), buffer);
    }
}
