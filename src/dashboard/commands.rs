//! Commands that are typed after a colon.

use std::path::PathBuf;

use super::actions::{on_action, show};
use super::app::{App, INTERVALS};
use super::export;
use super::filter::Filter;
use super::keys::Action;
use super::message::Effect;
use super::update::tell;
use super::view::Tab;

/// The commands, for the help page.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (":sessions :requests :tools :clients :events :history :boots", "that screen"),
    (":filter WORDS", "filter this list; nothing clears it"),
    (":sort COLUMN [asc|desc]", "sort this list"),
    (":interval 5s", "refresh that often"),
    (":export csv|json [FILE]", "write this list to a file"),
    (":all  :live", "list ended sessions, too, or not"),
    (":expire  :pause  :help  :quit", "the same as x, p, ? and q"),
];

/// What filters look like, for the help page.
pub(super) const FILTERS: &[(&str, &str)] = &[
    ("claude", "the letters stand anywhere in the row"),
    ("client: tool: status: user: id:", "they stand in that column, as in status:error or user:\"ann b\""),
    (
        "status:active status:idle status:ended",
        "sessions: in use, kept though not used, ended; status:live is the first two",
    ),
    ("idle>10m errors>0 calls<=5", "the figure compares so; times as 30s, 10m, 2h"),
    ("-client:cursor", "a minus turns a condition round; all conditions must hold"),
];

/// Runs a command.
pub(super) fn run(app: &mut App, line: &str) -> Option<Effect> {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
    if let Some(tab) = Tab::named(word) {
        show(app, tab);
        return None;
    }
    match word {
        "" => None,
        "q" | "quit" | "exit" => Some(Effect::Quit),
        "help" => on_action(app, Action::Help),
        "pause" => on_action(app, Action::Pause),
        "expire" => on_action(app, Action::Expire),
        "filter" => {
            if let Some(list) = app.list_mut() {
                list.filter = Filter::parse(rest);
            }
            None
        }
        "all" | "live" => {
            app.view.all = word == "all";
            None
        }
        "sort" => {
            sort(app, rest);
            None
        }
        "interval" => {
            interval(app, rest);
            None
        }
        "export" => {
            let (format, path) = rest.split_once(' ').unwrap_or((rest, ""));
            let path = Some(path.trim()).filter(|path| !path.is_empty()).map(PathBuf::from);
            export::current(app, format == "json", path).map(Effect::Write)
        }
        _ => {
            tell(app, format!("There is no command {word:?}; ? lists them."));
            None
        }
    }
}

fn sort(app: &mut App, rest: &str) {
    let (key, direction) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(listing) = app.listing() else { return };
    let Some(column) = listing.column(key).map(|at| listing.columns[at]) else {
        let names: Vec<_> = listing.columns.iter().map(|column| column.key).collect();
        tell(app, format!("There is no column {key:?}; there are {}", names.join(" ")));
        return;
    };
    let descending = match direction.trim() {
        "asc" => false,
        "desc" => true,
        _ => column.right,
    };
    if let Some(list) = app.list_mut() {
        list.sort = Some((column.key, descending));
    }
}

/// The nearest interval that there is.
fn interval(app: &mut App, rest: &str) {
    let Some(asked) = humantime::parse_duration(rest).ok().and_then(|d| u64::try_from(d.as_millis()).ok()) else {
        tell(app, "An interval is a time such as 500ms, 2s or 1m.");
        return;
    };
    let nearest = INTERVALS.iter().enumerate().min_by_key(|(_, ms)| ms.abs_diff(asked));
    app.settings.interval = nearest.map_or(app.settings.interval, |(at, _)| at);
}
