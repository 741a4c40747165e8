//! What standard output is: a terminal of some width, or something that takes all.

use std::io::IsTerminal;

use terminal_size::{Height, Width, terminal_size_of};

/// The width of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;
/// The height of a terminal that does not tell.
const USUAL_HEIGHT: usize = 24;

/// Standard output, as tables see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Screen {
    /// Whether a person looks at it.
    pub(in crate::cli) terminal: bool,
    /// How many columns it has; `None` off a terminal, where nothing is cut.
    pub(in crate::cli) width: Option<usize>,
    /// How many lines it has.
    pub(in crate::cli) height: usize,
    /// Whether colours are welcome.
    pub(in crate::cli) colour: bool,
}

impl Screen {
    /// Standard output now: a window may have been resized since the last time.
    pub(in crate::cli) fn of_standard_output() -> Self {
        let out = std::io::stdout();
        let terminal = out.is_terminal();
        let number = |name: &str| std::env::var(name).ok()?.parse().ok().filter(|n| *n > 0);
        let (columns, lines) = match terminal_size_of(&out) {
            Some((Width(columns), Height(lines))) if columns > 0 && lines > 0 => (columns.into(), lines.into()),
            _ => (number("COLUMNS").unwrap_or(USUAL_WIDTH), number("LINES").unwrap_or(USUAL_HEIGHT)),
        };
        Self { terminal, width: terminal.then_some(columns), height: lines, colour: terminal && colour_is_welcome() }
    }
}

/// `NO_COLOR` with any value turns colours off, and so does a terminal that knows none.
pub(in crate::cli) fn colour_is_welcome() -> bool {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_colour && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
