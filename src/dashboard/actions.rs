//! What keys and commands ask for.

use super::app::{App, Dialog, INTERVALS};
use super::data::Step;
use super::export;
use super::filter::Filter;
use super::keys::Action;
use super::message::Effect;
use super::screens;
use super::text::span;
use super::update::{set_filter, tell};
use super::view::{Detail, Place, Tab};
use super::warnings::{self, Target};
use crate::queries::requests::Request;
use crate::queries::sessions::{Session, State};

/// Does what a key asks for.
pub(super) fn on_action(app: &mut App, action: Action) -> Option<Effect> {
    match action {
        Action::Quit => return Some(Effect::Quit),
        Action::Suspend => return Some(Effect::Suspend),
        Action::Refresh => return Some(Effect::Refresh),
        Action::Expire => confirm(app),
        Action::Copy => return copy(app),
        Action::Export(json) => return export::current(app, json, None).map(Effect::Write),
        Action::Move(by) => move_by(app, by as isize),
        Action::Page(by) => {
            let page = isize::try_from(screens::list_height(app).max(2) - 1).unwrap_or(1);
            move_by(app, by as isize * page);
        }
        Action::First => move_by(app, isize::MIN / 2),
        Action::Last => move_by(app, isize::MAX / 2),
        Action::Open => open(app),
        Action::Slowest => slowest(app),
        Action::Back => back(app),
        Action::Show(tab) => show(app, tab),
        Action::Next => turn(app, 1),
        Action::Previous => turn(app, Tab::ALL.len() - 1),
        Action::Help => app.dialog = Some(Dialog::Help(0)),
        Action::Command => app.dialog = Some(Dialog::Command(String::new())),
        Action::Filter => begin_filter(app),
        Action::SortBy(by) => sort_by_next(app, by as isize),
        Action::Reverse => reverse(app),
        Action::Tag => tag(app),
        Action::Untag => app.view.tagged.clear(),
        Action::Toggle => toggle(app),
        Action::Warning => to_warning(app),
        Action::Pause => app.settings.paused = !app.settings.paused,
        Action::Interval(by) => {
            let interval = app.settings.interval.saturating_add_signed(by as isize).min(INTERVALS.len() - 1);
            app.settings.interval = interval;
            let text = format!("Refreshing every {}.", interval_text(app));
            tell(app, text);
        }
    }
    None
}

/// The interval as it is told.
pub(super) fn interval_text(app: &App) -> String {
    let interval = app.settings.interval();
    if interval.as_millis() < 1000 { format!("{}ms", interval.as_millis()) } else { span(interval) }
}

/// Moves the cursor, or scrolls the page.
pub(super) fn move_by(app: &mut App, by: isize) {
    let Some(listing) = app.listing() else {
        app.view.scroll = app.view.scroll.saturating_add_signed(by).min(screens::page_end(app));
        return;
    };
    let Some(list) = app.list_mut() else { return };
    list.cursor = list.cursor.saturating_add_signed(by).min(listing.rows.len().saturating_sub(1));
    // At the top the cursor stays at the top, whatever comes in above.
    list.key = if list.cursor == 0 { None } else { listing.rows.get(list.cursor).map(|row| row.key.clone()) };
}

/// Shows a screen.
pub(super) fn show(app: &mut App, tab: Tab) {
    app.view.tab = tab;
    app.view.details.clear();
    app.view.scroll = 0;
}

fn turn(app: &mut App, by: usize) {
    let at = Tab::ALL.iter().position(|tab| *tab == app.view.tab).unwrap_or(0);
    show(app, Tab::ALL[(at + by) % Tab::ALL.len()]);
}

fn back(app: &mut App) {
    app.view.scroll = 0;
    if app.view.details.pop().is_none() {
        set_filter(app, Filter::default());
    }
}

/// Looks closer at what is under the cursor.
pub(super) fn open(app: &mut App) {
    let under = app.under_cursor();
    match (app.view.details.last(), app.view.tab) {
        (Some(Detail::Request(request)), _) => {
            let session = request.protocol_session_id.clone().or_else(|| request.session_id.clone());
            open_session(app, session);
        }
        (Some(Detail::Session(_)), _) | (None, Tab::Requests) => open_request(app, under.as_deref()),
        (None, Tab::Sessions) => open_session(app, under),
        (None, Tab::Events) => {
            let events = app.data.streams.events.iter().flatten();
            let event = events.into_iter().find(|event| Some(event.id.to_string()) == under);
            let session =
                event.and_then(|event| event.protocol_session_id.clone().or_else(|| event.session_id.clone()));
            open_session(app, session);
        }
        (None, Tab::Tools) => filtered(app, Tab::Requests, "tool", under),
        (None, Tab::Clients) => {
            let client = under.and_then(|key| key.split('\t').next().map(str::to_owned));
            filtered(app, Tab::Sessions, "client", client);
        }
        (None, Tab::History | Tab::Boots) => {}
    }
}

fn open_session(app: &mut App, id: Option<String>) {
    let Some(id) = id else { return };
    let is_it = |detail: &Detail| *detail == Detail::Session(id.clone());
    if let Some(at) = app.view.details.iter().position(is_it) {
        app.view.details.truncate(at + 1);
        return;
    }
    (app.data.closer.story, app.data.closer.gone) = (None, false);
    app.view.details.push(Detail::Session(id));
    app.view.lists.remove(&Place::Session);
}

fn open_request(app: &mut App, key: Option<&str>) {
    let story = app.data.closer.story.iter().flat_map(|story| &story.requests);
    let stream = app.data.streams.requests.iter().flatten();
    let mut all = story.chain(stream);
    if let Some(request) = all.find(|request| Some(request.id.as_str()) == key).cloned() {
        look_at(app, request);
    }
}

fn look_at(app: &mut App, request: Request) {
    app.view.scroll = 0;
    app.data.closer.words = None;
    app.view.details.push(Detail::Request(Box::new(request)));
}

fn slowest(app: &mut App) {
    if app.place() != Some(Place::Tab(Tab::Tools)) {
        tell(app, "The slowest calls are those of the tools: 3 shows them.");
        return;
    }
    let tool = app.under_cursor();
    match tool.and_then(|tool| screens::tools::slowest(app, &tool)).cloned() {
        Some(request) => look_at(app, request),
        None => tell(app, "Its slowest call is not known, or not kept any more."),
    }
}

fn filtered(app: &mut App, tab: Tab, field: &str, value: Option<String>) {
    let Some(value) = value else { return };
    show(app, tab);
    set_filter(app, Filter::default().with(field, &value));
}

fn begin_filter(app: &mut App) {
    if let Some(list) = app.list_mut() {
        let before = list.filter.clone();
        app.dialog = Some(Dialog::Filter(before.text.clone(), Box::new(before)));
    }
}

fn sort_by_next(app: &mut App, by: isize) {
    let Some(listing) = app.listing() else { return };
    let shown: Vec<_> =
        listing.fit(usize::from(app.size.0).max(1)).into_iter().map(|(i, _)| listing.columns[i]).collect();
    let Some(list) = app.list_mut().filter(|_| !shown.is_empty()) else { return };
    let count = isize::try_from(shown.len()).unwrap_or(1);
    let at = list.sort.and_then(|(key, _)| shown.iter().position(|column| column.key == key));
    let next = match at.and_then(|at| isize::try_from(at).ok()) {
        Some(at) => (at + by).rem_euclid(count),
        None if by > 0 => 0,
        None => count - 1,
    };
    // Of figures the greatest are looked for, of texts the beginning of the alphabet.
    let column = shown[usize::try_from(next).unwrap_or(0)];
    list.sort = Some((column.key, column.right));
}

/// Sorts by that column, or the other way round if it was.
pub(super) fn sort_by(app: &mut App, key: &'static str) {
    let right = app.listing().and_then(|listing| Some(listing.columns[listing.column(key)?].right)).unwrap_or(false);
    if let Some(list) = app.list_mut() {
        list.sort = match list.sort {
            Some((before, descending)) if before == key => Some((key, !descending)),
            _ => Some((key, right)),
        };
    }
}

fn reverse(app: &mut App) {
    if let Some(list) = app.list_mut() {
        list.sort = list.sort.map(|(key, descending)| (key, !descending));
    }
    if app.list_mut().is_some_and(|list| list.sort.is_none()) {
        tell(app, "Choose a column with > first.");
    }
}

fn tag(app: &mut App) {
    if app.place() != Some(Place::Tab(Tab::Sessions)) {
        tell(app, "Tags are for sessions.");
        return;
    }
    let Some(key) = app.under_cursor() else { return };
    if !app.view.tagged.remove(&key) {
        app.view.tagged.insert(key);
    }
    move_by(app, 1);
}

fn toggle(app: &mut App) {
    match app.view.tab {
        Tab::Sessions => app.view.all = !app.view.all,
        Tab::History => {
            app.view.step = if app.view.step == Step::Hour { Step::Day } else { Step::Hour };
            app.data.sums.history = None;
        }
        _ => {}
    }
}

fn to_warning(app: &mut App) {
    match warnings::overall(app).iter().find_map(warnings::target) {
        Some(Target::Session(id)) => open_session(app, Some(id)),
        Some(Target::Failures) => filtered(app, Tab::Requests, "status", Some("error".to_owned())),
        Some(Target::Client(client)) => filtered(app, Tab::Sessions, "client", Some(client)),
        Some(Target::Boots) => show(app, Tab::Boots),
        None => tell(app, "All is well: there is no warning."),
    }
}

/// The sessions that `x` is for.
fn chosen(app: &App) -> Vec<Session> {
    let ids: Vec<String> = match app.view.details.last() {
        Some(Detail::Session(id)) => vec![id.clone()],
        Some(Detail::Request(_)) => Vec::new(),
        None if app.view.tab != Tab::Sessions => Vec::new(),
        None if app.view.tagged.is_empty() => app.under_cursor().into_iter().collect(),
        None => app.view.tagged.iter().cloned().collect(),
    };
    let live = |session: &&Session| session.state != State::Ended;
    ids.iter().filter_map(|id| app.session(id)).filter(live).cloned().collect()
}

fn confirm(app: &mut App) {
    if app.settings.read_only {
        tell(app, "Read only: nothing can be ended here.");
        return;
    }
    let sessions = chosen(app);
    if sessions.is_empty() {
        tell(app, "There is no live session to end here.");
    } else {
        app.dialog = Some(Dialog::Confirm(sessions));
    }
}

fn copy(app: &mut App) -> Option<Effect> {
    let id = match app.view.details.last() {
        Some(Detail::Session(id)) => Some(id.clone()),
        Some(Detail::Request(request)) => Some(request.id.clone()),
        None => app.under_cursor(),
    }?;
    tell(app, format!("Copied {id}"));
    Some(Effect::Copy(id))
}
