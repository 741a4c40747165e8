//! What the screen wants to know: the questions that follow from what is looked at.

use super::app::App;
use super::data::Question;
use super::screens;
use super::table::Sort;
use super::view::{Detail, Place, Tab};
use crate::queries::sessions::{Standing, StatusFilter};
use crate::queries::window::WindowQuery;
use crate::store::reports::page::Order;

impl App {
    /// What the screen wants to know.
    pub(super) fn wants(&self) -> Vec<Question> {
        let mut wants = vec![Question::Pulse, Question::Counts];
        match self.view.details.last() {
            Some(Detail::Session(id)) => {
                let archon = self.session(id).filter(|session| session.calls > 0).map(|s| s.session_id.clone());
                let latest = Question::Latest(archon.into_iter().collect());
                wants.extend([Question::Story(id.clone()), latest, Question::Tools]);
            }
            Some(Detail::Request(request)) => {
                wants.extend((request.number() > 0).then(|| Question::Words(request.number())));
            }
            None => wants.extend(self.tab_wants()),
        }
        // Last: what is only warned of, or hardly changes, can wait for what is looked at.
        wants.extend([Question::Ended, Question::Crowds]);
        wants
    }

    fn tab_wants(&self) -> Vec<Question> {
        match self.view.tab {
            Tab::Sessions => {
                vec![Question::Sessions(self.window_query()), Question::Latest(self.seen_sessions()), Question::Tools]
            }
            Tab::Requests => {
                let filter = self.list(Place::Tab(Tab::Requests)).filter;
                vec![Question::Requests(filter.field("status").and_then(|word| word.parse().ok()))]
            }
            Tab::Tools => vec![Question::Tools, Question::Trends],
            Tab::Clients => vec![Question::Clients],
            Tab::Events => vec![Question::Events],
            Tab::History => vec![Question::History(self.view.step)],
            Tab::Boots => vec![Question::Boots],
        }
    }

    /// The Archon sessions of the part of the list that is seen.
    fn seen_sessions(&self) -> Vec<String> {
        let place = Place::Tab(Tab::Sessions);
        let (Some(listing), state) = (self.listing(), self.list(place)) else { return Vec::new() };
        let seen = listing.rows.iter().skip(state.offset).take(screens::list_height(self));
        let called = seen.filter_map(|row| self.session(&row.key)).filter(|session| session.calls > 0);
        called.map(|session| session.session_id.clone()).collect()
    }

    /// What the list of sessions asks the store for: as much of filter and sorting as the store can do, because it holds
    /// more than a screen does.
    fn window_query(&self) -> WindowQuery {
        let state = self.list(Place::Tab(Tab::Sessions));
        let field = |name| state.filter.field(name).map(str::to_owned);
        let standings = match field("state") {
            Some(word) => named(&word),
            None if self.view.all => Vec::new(),
            None => vec![Standing::Alive],
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds and counts that were typed"
        )]
        let whole = |figure: f64| figure.max(0.0) as u64;
        WindowQuery {
            standings,
            client: field("client"),
            user: field("user"),
            id: field("id"),
            tool: field("tool"),
            idle_s: state.filter.least("idle").map(whole),
            errors: state.filter.least("errors").and_then(|n| i64::try_from(whole(n)).ok()),
            order: order(state.sort),
        }
    }
}

/// Where sessions stand whose state has these letters in its word.
fn named(letters: &str) -> Vec<Standing> {
    let named = StatusFilter::ALL.iter().filter(|status| status.as_str().contains(letters));
    let mut standings: Vec<_> = named.flat_map(|status| status.standings()).copied().collect();
    if standings.is_empty() {
        // The row itself decides: none passes.
        standings = Standing::ALL.to_vec();
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
