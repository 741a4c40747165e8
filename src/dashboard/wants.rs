//! What the screen wants to know: the questions that follow from what is looked at.

use super::app::App;
use super::question::Question;
use super::state::State;
use super::table::Sort;
use super::view::{Detail, ListId, Tab};
use crate::queries::sessions::{SessionState, StatusFilter};
use crate::queries::window::WindowQuery;
use crate::store::reports::page::Order;

/// What the screen wants to know.
pub(super) fn wants(app: &App) -> Vec<Question> {
    let state = app.state();
    let mut wants = vec![Question::Pulse, Question::Counts];
    match state.view.details.last() {
        Some(Detail::Session(id)) => {
            let archon = state.session(id).filter(|session| session.calls > 0).map(|s| s.session_id.clone());
            let latest = Question::Latest(archon.into_iter().collect());
            wants.extend([Question::Story(id.clone()), latest, Question::Tools]);
        }
        Some(Detail::Request(request)) => {
            wants.extend((request.number() > 0).then(|| Question::Capture(request.number())));
        }
        None => wants.extend(tab_wants(app)),
    }
    // Last: what is only warned of, or hardly changes, can wait for what is looked at.
    wants.extend([Question::Ended, Question::Crowds]);
    wants
}

fn tab_wants(app: &App) -> Vec<Question> {
    let state = app.state();
    match state.view.tab {
        Tab::Sessions => {
            vec![Question::Sessions(window_query(state)), Question::Latest(seen_sessions(app)), Question::Tools]
        }
        Tab::Requests => {
            let filter = state.list(ListId::Tab(Tab::Requests)).filter;
            vec![Question::Requests(filter.field("status").and_then(|word| word.parse().ok()))]
        }
        Tab::Tools => vec![Question::Tools, Question::Trends],
        Tab::Clients => vec![Question::Clients],
        Tab::Events => vec![Question::Events],
        Tab::History => vec![Question::History(state.view.step)],
        Tab::Boots => vec![Question::Boots],
    }
}

/// The Archon sessions of the part of the list that is seen.
fn seen_sessions(app: &App) -> Vec<String> {
    let (state, seen) = (app.state(), app.seen());
    let (Some(listing), list) = (seen.listing(), state.list(ListId::Tab(Tab::Sessions))) else { return Vec::new() };
    let rows = listing.rows.iter().skip(list.offset).take(seen.list_height());
    let called = rows.filter_map(|row| state.session(&row.key)).filter(|session| session.calls > 0);
    called.map(|session| session.session_id.clone()).collect()
}

/// What the list of sessions asks the store for: as much of filter and sorting as the store can do, because it holds more
/// than a screen does.
fn window_query(state: &State) -> WindowQuery {
    let list = state.list(ListId::Tab(Tab::Sessions));
    let field = |name| list.filter.field(name).map(str::to_owned);
    let standings = match field("state") {
        Some(word) => named(&word),
        None if state.view.all => Vec::new(),
        None => vec![SessionState::Alive],
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds and counts that were typed")]
    let whole = |figure: f64| figure.max(0.0) as u64;
    WindowQuery {
        standings,
        client: field("client"),
        user: field("user"),
        id: field("id"),
        tool: field("tool"),
        idle_s: list.filter.least("idle").map(whole),
        errors: list.filter.least("errors").and_then(|n| i64::try_from(whole(n)).ok()),
        order: order(list.sort),
    }
}

/// Where sessions stand whose state has these letters in its word.
fn named(letters: &str) -> Vec<SessionState> {
    let named = StatusFilter::ALL.iter().filter(|status| status.as_str().contains(letters));
    let mut standings: Vec<_> = named.flat_map(|status| status.standings()).copied().collect();
    if standings.is_empty() {
        // The row itself decides: none passes.
        standings = SessionState::ALL.to_vec();
    }
    standings
}

/// What the store can sort by, for a column. The rest is sorted among what it gave.
fn order(sort: Option<Sort>) -> (Order, bool) {
    let Some((key, descending)) = sort else { return (Order::Activity, true) };
    match key {
        "idle" => (Order::Activity, !descending),
        "age" => (Order::Began, !descending),
        "left" => (Order::Expiry, descending),
        "client" => (Order::Client, descending),
        "user" => (Order::User, descending),
        "calls" => (Order::Calls, descending),
        "errors" => (Order::Errors, descending),
        "tokens" => (Order::Tokens, descending),
        "id" => (Order::Id, descending),
        "state" => (Order::Status, descending),
        _ => (Order::Activity, true),
    }
}
