//! Colours. They hold on light and dark grounds and to colour-blind eyes: blue, orange and crimson, never red against
//! green. What a colour says, a word or a sign says too; without colours nothing is lost.

use ratatui::style::{Color, Modifier, Style};

pub(super) use crate::queries::columns::Tone;

/// Pieces of text, one after the other.
pub(super) type Line = Vec<(String, Tone)>;

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// There are.
    Colored,
    /// There are none: bold, dim and reversed remain.
    Plain,
}

impl Theme {
    /// How such text looks.
    pub(super) fn style(self, tone: Tone) -> Style {
        let colored = |color| if self == Self::Colored { Style::new().fg(color) } else { Style::new() };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Dim => Style::new().add_modifier(Modifier::DIM),
            Tone::Good => colored(Color::Indexed(32)),
            Tone::Warn => colored(Color::Indexed(166)),
            Tone::Bad => colored(Color::Indexed(161)).add_modifier(Modifier::BOLD),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// How the row under the cursor looks.
    pub(super) fn cursor() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
