//! What keys and commands ask for.

use super::export;
use super::filter::Filter;
use super::keys::Action;
use super::message::Effect;
use super::question::Step;
use super::state::{Dialog, INTERVALS, State};
use super::view::{Detail, ListId, Tab};
use super::view_model::ViewModel;
use super::warnings::{self, Target};
use crate::queries::requests::Request;
use crate::queries::sessions::{Session, State as Stands};

/// Does what a key asks for.
pub(super) fn on_action(state: &mut State, seen: &ViewModel, action: Action) -> Option<Effect> {
    match action {
        Action::Quit => return Some(Effect::Quit),
        Action::Suspend => return Some(Effect::Suspend),
        Action::Refresh => return Some(Effect::Refresh),
        Action::Expire => confirm(state, seen),
        Action::Copy => return copy(state, seen),
        Action::Export(json) => return export::current(state, seen, json, None).map(Effect::Write),
        Action::Move(by) => move_by(state, seen, by as isize),
        Action::Page(by) => {
            let page = isize::try_from(seen.list_height().max(2) - 1).unwrap_or(1);
            move_by(state, seen, by as isize * page);
        }
        Action::First => move_by(state, seen, isize::MIN / 2),
        Action::Last => move_by(state, seen, isize::MAX / 2),
        Action::Open => open(state, seen),
        Action::Slowest => slowest(state, seen),
        Action::Back => back(state),
        Action::Show(tab) => show(state, tab),
        Action::Next => turn(state, 1),
        Action::Previous => turn(state, Tab::ALL.len() - 1),
        Action::Help => state.dialog = Some(Dialog::Help(0)),
        Action::Command => state.dialog = Some(Dialog::Command(String::new())),
        Action::Filter => begin_filter(state),
        Action::SortBy(by) => sort_by_next(state, seen, by as isize),
        Action::Reverse => reverse(state),
        Action::Tag => tag(state, seen),
        Action::Untag => state.view.tagged.clear(),
        Action::Toggle => toggle(state),
        Action::Warning => to_warning(state, seen),
        Action::Pause => state.settings.paused = !state.settings.paused,
        Action::Interval(by) => {
            let interval = state.settings.interval.saturating_add_signed(by as isize).min(INTERVALS.len() - 1);
            state.settings.interval = interval;
            let text = format!("Refreshing every {}.", state.settings.interval_text());
            state.show_notice(text);
        }
    }
    None
}

/// Moves the cursor, or scrolls the page.
pub(super) fn move_by(state: &mut State, seen: &ViewModel, by: isize) {
    let Some(listing) = seen.listing() else {
        state.view.scroll = state.view.scroll.saturating_add_signed(by).min(seen.page_end());
        return;
    };
    let Some(list) = state.list_mut() else { return };
    list.cursor = list.cursor.saturating_add_signed(by).min(listing.rows.len().saturating_sub(1));
    // At the top the cursor stays at the top, whatever comes in above.
    list.key = if list.cursor == 0 { None } else { listing.rows.get(list.cursor).map(|row| row.key.clone()) };
}

/// Shows a screen.
pub(super) fn show(state: &mut State, tab: Tab) {
    state.view.tab = tab;
    state.view.details.clear();
    state.view.scroll = 0;
}

fn turn(state: &mut State, by: usize) {
    let at = Tab::ALL.iter().position(|tab| *tab == state.view.tab).unwrap_or(0);
    show(state, Tab::ALL[(at + by) % Tab::ALL.len()]);
}

fn back(state: &mut State) {
    state.view.scroll = 0;
    if state.view.details.pop().is_none() {
        state.set_filter(Filter::default());
    }
}

/// Looks closer at what is under the cursor.
pub(super) fn open(state: &mut State, seen: &ViewModel) {
    let under = seen.under_cursor(state);
    match (state.view.details.last(), state.view.tab) {
        (Some(Detail::Request(request)), _) => {
            let session = request.protocol_session_id.clone().or_else(|| request.session_id.clone());
            open_session(state, session);
        }
        (Some(Detail::Session(_)), _) | (None, Tab::Requests) => open_request(state, under.as_deref()),
        (None, Tab::Sessions) => open_session(state, under),
        (None, Tab::Events) => {
            let events = state.data.streams.events.iter().flatten();
            let event = events.into_iter().find(|event| Some(event.id.to_string()) == under);
            let session =
                event.and_then(|event| event.protocol_session_id.clone().or_else(|| event.session_id.clone()));
            open_session(state, session);
        }
        (None, Tab::Tools) => filtered(state, Tab::Requests, "tool", under),
        (None, Tab::Clients) => {
            let client = under.and_then(|key| key.split('\t').next().map(str::to_owned));
            filtered(state, Tab::Sessions, "client", client);
        }
        (None, Tab::History | Tab::Boots) => {}
    }
}

fn open_session(state: &mut State, id: Option<String>) {
    let Some(id) = id else { return };
    let is_it = |detail: &Detail| *detail == Detail::Session(id.clone());
    if let Some(at) = state.view.details.iter().position(is_it) {
        state.view.details.truncate(at + 1);
        return;
    }
    (state.data.closer.story, state.data.closer.gone) = (None, false);
    state.view.details.push(Detail::Session(id));
    state.view.lists.remove(&ListId::Session);
}

fn open_request(state: &mut State, key: Option<&str>) {
    let story = state.data.closer.story.iter().flat_map(|story| &story.requests);
    let stream = state.data.streams.requests.iter().flatten();
    let mut all = story.chain(stream);
    if let Some(request) = all.find(|request| Some(request.id.as_str()) == key).cloned() {
        look_at(state, request);
    }
}

fn look_at(state: &mut State, request: Request) {
    state.view.scroll = 0;
    state.data.closer.capture = None;
    state.view.details.push(Detail::Request(Box::new(request)));
}

fn slowest(state: &mut State, seen: &ViewModel) {
    if state.list_id() != Some(ListId::Tab(Tab::Tools)) {
        state.show_notice("The slowest calls are listed by tool: press 3.");
        return;
    }
    let tool = seen.under_cursor(state);
    match tool.and_then(|tool| state.data.slowest(&tool).cloned()) {
        Some(request) => look_at(state, request),
        None => state.show_notice("Its slowest call is not known, or not kept any more."),
    }
}

fn filtered(state: &mut State, tab: Tab, field: &str, value: Option<String>) {
    let Some(value) = value else { return };
    show(state, tab);
    state.set_filter(Filter::default().with(field, &value));
}

fn begin_filter(state: &mut State) {
    if let Some(list) = state.list_mut() {
        let before = list.filter.clone();
        state.dialog = Some(Dialog::Filter(before.text.clone(), Box::new(before)));
    }
}

fn sort_by_next(state: &mut State, seen: &ViewModel, by: isize) {
    let Some(listing) = seen.listing() else { return };
    let shown: Vec<_> =
        listing.fit(usize::from(state.size.0).max(1)).into_iter().map(|(i, _)| listing.columns[i]).collect();
    let Some(list) = state.list_mut().filter(|_| !shown.is_empty()) else { return };
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
pub(super) fn sort_by(state: &mut State, seen: &ViewModel, key: &'static str) {
    let right = seen.listing().and_then(|listing| Some(listing.columns[listing.column(key)?].right)).unwrap_or(false);
    if let Some(list) = state.list_mut() {
        list.sort = match list.sort {
            Some((before, descending)) if before == key => Some((key, !descending)),
            _ => Some((key, right)),
        };
    }
}

fn reverse(state: &mut State) {
    if let Some(list) = state.list_mut() {
        list.sort = list.sort.map(|(key, descending)| (key, !descending));
    }
    if state.list_mut().is_some_and(|list| list.sort.is_none()) {
        state.show_notice("Choose a column with > first.");
    }
}

fn tag(state: &mut State, seen: &ViewModel) {
    if state.list_id() != Some(ListId::Tab(Tab::Sessions)) {
        state.show_notice("Tags are for sessions.");
        return;
    }
    let Some(key) = seen.under_cursor(state) else { return };
    if !state.view.tagged.remove(&key) {
        state.view.tagged.insert(key);
    }
    move_by(state, seen, 1);
}

fn toggle(state: &mut State) {
    match state.view.tab {
        Tab::Sessions => state.view.all = !state.view.all,
        Tab::History => {
            state.view.step = if state.view.step == Step::Hour { Step::Day } else { Step::Hour };
            state.data.sums.history = None;
        }
        _ => {}
    }
}

fn to_warning(state: &mut State, seen: &ViewModel) {
    match seen.findings.iter().find_map(warnings::target) {
        Some(Target::Session(id)) => open_session(state, Some(id)),
        Some(Target::Failures) => filtered(state, Tab::Requests, "status", Some("error".to_owned())),
        Some(Target::Client(client)) => filtered(state, Tab::Sessions, "client", Some(client)),
        Some(Target::Boots) => show(state, Tab::Boots),
        None => state.show_notice("All is well: there is no warning."),
    }
}

/// The sessions that `x` is for.
fn chosen(state: &State, seen: &ViewModel) -> Vec<Session> {
    let ids: Vec<String> = match state.view.details.last() {
        Some(Detail::Session(id)) => vec![id.clone()],
        Some(Detail::Request(_)) => Vec::new(),
        None if state.view.tab != Tab::Sessions => Vec::new(),
        None if state.view.tagged.is_empty() => seen.under_cursor(state).into_iter().collect(),
        None => state.view.tagged.iter().cloned().collect(),
    };
    let live = |session: &&Session| session.state != Stands::Ended;
    ids.iter().filter_map(|id| state.session(id)).filter(live).cloned().collect()
}

fn confirm(state: &mut State, seen: &ViewModel) {
    if state.settings.read_only {
        state.show_notice("Read only: nothing can be ended here.");
        return;
    }
    let sessions = chosen(state, seen);
    if sessions.is_empty() {
        state.show_notice("There is no live session to end here.");
    } else {
        state.dialog = Some(Dialog::Confirm(sessions));
    }
}

fn copy(state: &mut State, seen: &ViewModel) -> Option<Effect> {
    let id = match state.view.details.last() {
        Some(Detail::Session(id)) => Some(id.clone()),
        Some(Detail::Request(request)) => Some(request.id.clone()),
        None => seen.under_cursor(state),
    }?;
    state.show_notice(format!("Copied {id}"));
    Some(Effect::Copy(id))
}
