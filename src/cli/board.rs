//! Where a tool's progress and messages are shown: standard error, the progress in one line that changes in place where a
//! person looks at it.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{line, print_note};
use super::secrets;

/// Lines that are held back while somebody types; the first of more are dropped.
const MOST_HELD: usize = 1000;

/// How things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Not at all.
    Silent,
    /// A line each.
    Plain,
    /// Progress in place.
    InPlace,
}

/// The place.
#[derive(Debug)]
pub(super) struct Board {
    look: Look,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The line that changes in place, while there is one.
    bar: Option<ProgressBar>,
    /// What was said while somebody types.
    held: Option<Vec<String>>,
}

impl Board {
    /// A board on standard error; a silent one shows nothing.
    pub(super) fn new(is_silent: bool) -> Self {
        let look = match (is_silent, io::stderr().is_terminal()) {
            (true, _) => Look::Silent,
            (false, false) => Look::Plain,
            (false, true) => Look::InPlace,
        };
        Self { look, state: Mutex::default() }
    }

    /// How far the tool is.
    pub(super) fn progress(&self, text: &str) {
        let mut state = self.state();
        match self.look {
            Look::Silent => {}
            Look::Plain => print_note(&line(text)),
            Look::InPlace if state.held.is_some() => {}
            Look::InPlace => {
                let bar = state.bar.get_or_insert_with(bar);
                bar.set_message(line(&secrets::hidden(text)));
                bar.tick();
            }
        }
    }

    /// A sentence, on a line of its own.
    pub(super) fn print_note(&self, text: &str) {
        if self.look == Look::Silent {
            return;
        }
        let State { bar, held } = &mut *self.state();
        match (held, bar) {
            (Some(held), _) => {
                held.push(text.to_owned());
                let surplus = held.len().saturating_sub(MOST_HELD);
                held.drain(..surplus);
            }
            (None, Some(bar)) => bar.suspend(|| print_note(text)),
            (None, None) => print_note(text),
        }
    }

    /// Leaves the terminal to somebody who types, until [`Typing`] is dropped.
    pub(super) fn make_room(&self) -> Typing<'_> {
        self.end();
        self.state().held = Some(Vec::new());
        Typing(self)
    }

    /// Takes away what changes in place.
    pub(super) fn end(&self) {
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line as wide as the terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // A template that does not parse would leave the usual one.
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// Somebody types.
#[derive(Debug)]
pub(super) struct Typing<'a>(&'a Board);

impl Drop for Typing<'_> {
    fn drop(&mut self) {
        let held = self.0.state().held.take().unwrap_or_default();
        for text in held {
            print_note(&text);
        }
    }
}
