//! A page over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Clear, Widget};

use super::write::write;
use crate::dashboard::text::width;
use crate::dashboard::theme::Theme;
use crate::dashboard::view_model::Page;

/// Draws it in the middle of a screen of that size.
pub(super) fn draw(page: &Page, theme: Theme, (wide, high): (u16, u16), buffer: &mut Buffer) {
    let (lines, title) = (&page.lines, page.title.as_str());
    let longest = lines.iter().map(|line| line.iter().map(|(text, _)| width(text)).sum::<usize>()).max().unwrap_or(0);
    let clamp = |n: usize, most: u16| u16::try_from(n).unwrap_or(most).min(most);
    let (w, h) = (clamp(longest.max(width(title)) + 4, wide), clamp(lines.len() + 2, high));
    let area = Rect { x: (wide - w) / 2, y: (high - h) / 2, width: w, height: h };
    Clear.render(area, buffer);
    Block::bordered().title(title).render(area, buffer);
    let from = page.from.min((lines.len() + 2).saturating_sub(usize::from(high)));
    for (y, line) in (area.y + 1..area.bottom().saturating_sub(1)).zip(lines.iter().skip(from)) {
        write(line, theme, (area.x + 2, y), area.right().saturating_sub(1), buffer);
    }
}
