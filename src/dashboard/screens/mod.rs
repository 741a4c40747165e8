//! The screen, as it is drawn. What stands on it, [`super::view_model`] says.

mod body;
mod header;
mod page;
mod table;
mod tabs;
mod write;

use ratatui::buffer::Buffer;

use super::app::App;
use super::text::cut;
use super::theme::Tone;

/// Below this number of columns and lines there is no room for anything.
const LEAST: (u16, u16) = (20, 7);

/// Draws the screen.
pub(super) fn draw(app: &App, buffer: &mut Buffer) {
    let (state, seen, theme) = (app.state(), app.seen(), app.state().settings.theme);
    if state.size.0 < LEAST.0 || state.size.1 < LEAST.1 {
        let text = format!("needs {}x{}", LEAST.0, LEAST.1);
        buffer.set_stringn(0, 0, text, state.size.0.into(), theme.style(Tone::Plain));
        return;
    }
    let areas = seen.areas;
    header::draw(&seen.header, theme, areas.header, buffer);
    tabs::draw(state.view.tab, theme, areas.tabs, buffer);
    let title = cut(&seen.title, areas.title.width.into());
    buffer.set_stringn(areas.title.x, areas.title.y, title, areas.title.width.into(), theme.style(Tone::Dim));
    body::draw(state, &seen.body, areas.body, buffer);
    write::write(&seen.footer, theme, (areas.footer.x, areas.footer.y), areas.footer.right(), buffer);
    if let Some(page) = &seen.page {
        page::draw(page, theme, state.size, buffer);
    }
}
