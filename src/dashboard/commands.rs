//! Commands that are typed after a colon.

use std::path::PathBuf;

use super::actions::{on_action, show};
use super::export;
use super::filter::Filter;
use super::keys::Action;
use super::message::Effect;
use super::state::{State, nearest_interval};
use super::view::Tab;
use super::view_model::ViewModel;

/// Runs a command.
pub(super) fn run(state: &mut State, seen: &ViewModel, line: &str) -> Option<Effect> {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
    if let Some(tab) = Tab::named(word) {
        show(state, tab);
        return None;
    }
    match word {
        "" => None,
        "q" | "quit" | "exit" => Some(Effect::Quit),
        "help" => on_action(state, seen, Action::Help),
        "pause" => on_action(state, seen, Action::Pause),
        "expire" => on_action(state, seen, Action::Expire),
        "filter" => {
            if let Some(list) = state.list_mut() {
                list.filter = Filter::parse(rest);
            }
            None
        }
        "all" | "live" => {
            state.view.all = word == "all";
            None
        }
        "sort" => {
            sort(state, seen, rest);
            None
        }
        "interval" => {
            interval(state, rest);
            None
        }
        "export" => {
            let (format, path) = rest.split_once(' ').unwrap_or((rest, ""));
            let path = Some(path.trim()).filter(|path| !path.is_empty()).map(PathBuf::from);
            export::current(state, seen, format == "json", path).map(Effect::Write)
        }
        _ => {
            state.show_notice(format!("There is no command {word:?}; ? lists them."));
            None
        }
    }
}

fn sort(state: &mut State, seen: &ViewModel, rest: &str) {
    let (key, direction) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(listing) = seen.listing() else { return };
    let Some(column) = listing.column(key).map(|at| listing.columns[at]) else {
        let names: Vec<_> = listing.columns.iter().map(|column| column.key).collect();
        state.show_notice(format!("There is no column {key:?}; there are {}", names.join(" ")));
        return;
    };
    let descending = match direction.trim() {
        "asc" => false,
        "desc" => true,
        _ => column.right,
    };
    if let Some(list) = state.list_mut() {
        list.sort = Some((column.key, descending));
    }
}

/// The nearest interval that there is.
fn interval(state: &mut State, rest: &str) {
    match humantime::parse_duration(rest) {
        Ok(asked) => state.settings.interval = nearest_interval(asked),
        Err(_) => state.show_notice("An interval is a time such as 500ms, 2s or 1m."),
    }
}
