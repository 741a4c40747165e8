//! The names of the screens.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::dashboard::theme::{Theme, Tone};
use crate::dashboard::view::Tab;
use crate::dashboard::view_model::tab_places;

/// Draws them; the one that is seen stands out.
pub(super) fn draw(seen: Tab, theme: Theme, area: Rect, buffer: &mut Buffer) {
    for (n, (tab, from, to)) in tab_places(seen, area).into_iter().enumerate() {
        let text = if to - from > 1 { format!("{} {}", n + 1, tab.title()) } else { (n + 1).to_string() };
        let style = theme.style(if tab == seen { Tone::Strong } else { Tone::Dim });
        let style = if tab == seen { style.add_modifier(Modifier::UNDERLINED) } else { style };
        buffer.set_stringn(from, area.y, text, area.width.saturating_sub(from).into(), style);
    }
}
