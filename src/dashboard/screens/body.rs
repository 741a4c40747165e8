//! The screen between title and foot: lines, the list, lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::table::{self, Looks};
use super::write::write;
use crate::dashboard::state::State;
use crate::dashboard::theme::Tone;
use crate::dashboard::view_model::{Body, List};

/// Draws it.
pub(super) fn draw(state: &State, body: &Body, area: Rect, buffer: &mut Buffer) {
    let theme = state.settings.theme;
    let end = body.list.as_ref().map_or(area.bottom(), |list| list.area.y);
    for (y, line) in (area.y..end).zip(body.scrolled(state)) {
        write(line, theme, (area.x, y), area.right(), buffer);
    }
    let Some(list) = &body.list else { return };
    draw_list(state, list, buffer);
    for (y, line) in (list.area.bottom()..area.bottom()).zip(&body.below) {
        write(line, theme, (area.x + 1, y), area.right(), buffer);
    }
}

/// Draws the list, or what to do where it is empty.
fn draw_list(state: &State, List { area, listing, hint }: &List, buffer: &mut Buffer) {
    let (Some(seen), theme) = (state.seen_list(), state.settings.theme) else { return };
    if listing.rows.is_empty() {
        for (y, line) in (area.y + 1..area.bottom()).zip(hint) {
            write(&[(line.clone(), Tone::Plain)], theme, (area.x + 2, y), area.right(), buffer);
        }
        return;
    }
    let looks =
        Looks { theme, offset: seen.offset, cursor: Some(seen.cursor), sort: seen.sort, tagged: &state.view.tagged };
    table::draw(listing, *area, buffer, looks);
}
