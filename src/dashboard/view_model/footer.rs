//! The line at the foot.

use crate::dashboard::filter::Filter;
use crate::dashboard::state::{Dialog, State};
use crate::dashboard::table::Listing;
use crate::dashboard::text::{clean, width};
use crate::dashboard::theme::{Line, Tone};
use crate::dashboard::view::{Detail, Tab};

/// What is typed, what was done last, or the keys that help most here.
pub(super) fn footer(state: &State, listing: Option<&Listing>, room: u16) -> Line {
    match (&state.dialog, &state.notice) {
        (Some(Dialog::Filter(text, _)), _) => filter_line(listing, text),
        (Some(Dialog::Command(text)), _) => vec![(format!(":{text}█"), Tone::Strong)],
        (None, Some((notice, _))) => vec![(clean(notice), Tone::Strong)],
        _ => hints(state, room.into())
            .into_iter()
            .flat_map(|(key, text)| [(key.to_owned(), Tone::Strong), (format!(" {text}  "), Tone::Dim)])
            .collect(),
    }
}

fn filter_line(listing: Option<&Listing>, text: &str) -> Line {
    let mut line = vec![(format!("/{text}█"), Tone::Strong)];
    let unknown = listing.and_then(|listing| {
        let filter = Filter::parse(text);
        let name = filter.unknown(listing)?.to_owned();
        let names: Vec<_> = listing.columns.iter().map(|column| column.key).collect();
        Some(format!("  no column {name:?}; there are {}", names.join(" ")))
    });
    line.push((unknown.unwrap_or_else(|| "  Enter keeps it, Esc does not".to_owned()), Tone::Dim));
    line
}

/// As many as there is room for; the one that leads to all others is always among them.
fn hints(state: &State, room: usize) -> Vec<(&'static str, &'static str)> {
    const KEYS: (&str, &str) = ("?", "keys");
    let mut hints: Vec<(&str, &str)> = match (state.view.details.last(), state.view.tab) {
        (Some(Detail::Request(_)), _) => vec![("Esc", "back"), ("Enter", "its session"), ("y", "copy id")],
        (Some(Detail::Session(_)), _) => {
            vec![("Esc", "back"), ("Enter", "the request"), ("x", "end it"), ("y", "copy id")]
        }
        (None, Tab::Sessions) => {
            vec![("Enter", "open"), ("/", "filter"), (">", "sort"), ("Space", "tag"), ("x", "end")]
        }
        (None, Tab::Requests | Tab::Events) => vec![("Enter", "open"), ("/", "filter"), ("p", "pause")],
        (None, Tab::Tools) => vec![("Enter", "its calls"), ("s", "the slowest"), (">", "sort"), ("e", "export")],
        (None, Tab::Clients) => vec![("Enter", "open"), (">", "sort"), ("e", "export")],
        (None, Tab::History | Tab::Boots) => vec![(">", "sort"), ("e", "export")],
    };
    hints.retain(|(key, _)| !(state.settings.read_only && matches!(*key, "x" | "Space")));
    let wide = |hints: &[(&str, &str)]| hints.iter().map(|(key, text)| width(key) + width(text) + 3).sum::<usize>();
    while wide(&hints) + wide(&[KEYS]) > room + 2 && hints.pop().is_some() {}
    hints.extend([KEYS, ("q", "quit")]);
    if wide(&hints) > room + 2 {
        hints.pop();
    }
    hints
}
