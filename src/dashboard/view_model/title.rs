//! What the screen shows: what of how much, filtered and sorted how.

use crate::dashboard::question::Step;
use crate::dashboard::state::State;
use crate::dashboard::text::count;
use crate::dashboard::view::{Detail, Tab};

/// The title of a list with that many rows, or of what is looked at closely.
pub(super) fn title(state: &State, rows: usize) -> String {
    let mut parts = vec![match state.view.details.last() {
        Some(Detail::Session(id)) => format!("Session {id}"),
        Some(Detail::Request(request)) => format!("Request {}", request.id),
        None => tab_title(state, i64::try_from(rows).unwrap_or(0)),
    }];
    if let Some(list) = state.seen_list() {
        if !list.filter.text.is_empty() {
            parts.push(format!("filter: {}", list.filter.text));
        }
        if let Some((key, descending)) = list.sort {
            parts.push(format!("by {key} {}", if descending { "▾" } else { "▴" }));
        }
    }
    if !state.view.tagged.is_empty() {
        parts.push(format!("{} tagged", state.view.tagged.len()));
    }
    parts.join(" · ")
}

fn tab_title(state: &State, rows: i64) -> String {
    let shown = count(rows);
    match state.view.tab {
        Tab::Sessions => sessions_title(state, rows),
        Tab::Requests => format!("Requests as they come, the newest first: {shown}"),
        Tab::Tools => format!("Tools in the last 24 hours: {shown}"),
        Tab::Clients => format!("Clients by type and version: {shown}"),
        Tab::Events => format!("Events as they come, the newest first: {shown}"),
        Tab::History if state.view.step == Step::Hour => "By the hour, two days (a: by the day)".to_owned(),
        Tab::History => "By the day, a month (a: by the hour)".to_owned(),
        Tab::Boots => format!("Boots, the newest first: {shown}"),
    }
}

fn sessions_title(state: &State, rows: i64) -> String {
    let all = state.view.all;
    let kind = if all { "All sessions" } else { "Live sessions" };
    let counts = state.data.counts.unwrap_or_default();
    let of = if all { counts.all() } else { counts.live() };
    let of = if of > rows { format!("{} of {}", count(rows), count(of)) } else { count(rows) };
    let other = if all { "a: live only" } else { "a: all" };
    format!("{kind}: {of} ({other})")
}
