//! Lines of text.

use ratatui::buffer::Buffer;

use crate::dashboard::text::{cut, width};
use crate::dashboard::theme::{Theme, Tone};

/// Writes pieces of text one after the other, up to the column `end`.
pub(super) fn write(pieces: &[(String, Tone)], theme: Theme, (x, y): (u16, u16), end: u16, buffer: &mut Buffer) {
    let mut at = x;
    for (text, tone) in pieces {
        if at >= end {
            break;
        }
        let text = cut(text, (end - at).into());
        buffer.set_stringn(at, y, &text, (end - at).into(), theme.style(*tone));
        at = at.saturating_add(u16::try_from(width(&text)).unwrap_or(u16::MAX));
    }
}
