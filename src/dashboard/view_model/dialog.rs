//! What stands over the screen: the help page, the question before sessions end.

use crate::dashboard::help::{COMMANDS, FILTERS};
use crate::dashboard::keys::{self, BINDINGS};
use crate::dashboard::state::{Dialog, State};
use crate::dashboard::text::{clean, count, pad, several, width, wrapped};
use crate::dashboard::theme::{Line, Tone};
use crate::queries::sessions::Session;

/// The number of sessions that are named before one agrees to end them.
const NAMED: usize = 8;

/// A page over the screen.
#[derive(Debug, Clone)]
pub(in crate::dashboard) struct Page {
    /// Its title.
    pub(in crate::dashboard) title: String,
    /// Its lines.
    pub(in crate::dashboard) lines: Vec<Line>,
    /// The first line that is seen, unless all that follow have room.
    pub(in crate::dashboard) from: usize,
}

/// What asks for an answer.
pub(super) fn page(state: &State) -> Option<Page> {
    match state.dialog.as_ref()? {
        Dialog::Help(from) => {
            let title = " Keys: ↑↓ scroll, any other closes ".to_owned();
            Some(Page { title, lines: help(state), from: *from })
        }
        Dialog::Confirm(sessions) => {
            let title = format!(" End {}? ", several(i64::try_from(sessions.len()).unwrap_or(0), "session"));
            Some(Page { title, lines: question(sessions, usize::from(state.size.0).saturating_sub(6)), from: 0 })
        }
        Dialog::Filter(..) | Dialog::Command(_) => None,
    }
}

fn help(state: &State) -> Vec<Line> {
    let head = |text: &str| vec![(text.to_owned(), Tone::Strong)];
    let row = |left: &str, right: &str, wide: usize| {
        vec![(pad(left, wide.max(width(left)), false), Tone::Strong), (format!("  {right}"), Tone::Plain)]
    };
    let offered = BINDINGS.iter().filter(|binding| !(binding.changes && state.settings.read_only));
    let mut lines: Vec<Line> = offered.map(|binding| row(&keys::names(binding), binding.help, 18)).collect();
    lines.push(row("mouse", "click a row (twice: open it), a heading (sort), a screen's name; wheel", 18));
    lines.extend([Line::new(), head("Filters")]);
    lines.extend(FILTERS.iter().map(|(text, help)| row(text, help, 34)));
    lines.extend([Line::new(), head("Commands")]);
    lines.extend(COMMANDS.iter().map(|(text, help)| row(text, help, 34)));
    lines
}

/// What ends, and what is lost with it.
fn question(sessions: &[Session], room: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for session in sessions.iter().take(NAMED) {
        let user = session.user_name.as_deref().map(|user| format!(" of {}", clean(user))).unwrap_or_default();
        let id = clean(session.id().get(..8).unwrap_or_default());
        let text = format!("{id}  {}{user}  {}", clean(&session.client_type), several(session.calls, "call"));
        lines.push(vec![(text, Tone::Plain)]);
    }
    if sessions.len() > NAMED {
        lines.push(vec![(format!("… and {} more", sessions.len() - NAMED), Tone::Plain)]);
    }
    lines.push(Line::new());
    let calls: i64 = sessions.iter().map(|session| session.calls).sum();
    let tokens: i64 = sessions.iter().map(|session| session.prompt_tokens + session.completion_tokens).sum();
    let lost = format!(
        "What ends: {} with {} tokens of context. Servers refuse the sessions within a second; clients must reconnect. \
         History is kept. This cannot be undone.",
        several(calls, "call"),
        count(tokens)
    );
    lines.extend(wrapped(&lost, room.clamp(20, 70)).into_iter().map(|line| vec![(line, Tone::Warn)]));
    lines.extend([
        Line::new(),
        vec![("y".to_owned(), Tone::Strong), (" end   any other key: cancel".to_owned(), Tone::Plain)],
    ]);
    lines
}
