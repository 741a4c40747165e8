//! What the screen wants to know: the questions that follow from what is looked at.

use super::app::App;
use super::data::Question;
use super::screens;
use super::table::Sort;
use super::view::{Detail, Place, Tab};
use crate::queries::sessions::Status;
use crate::queries::window::WindowQuery;
use crate::store::reports::page::Order;

impl App {
    /// What the screen wants to know.
    pub(super) fn wants(&self) -> Vec<Question> {
        let mut wants = vec![Question::Pulse, Question::Counts];
        match self.view.details.last() {
            Some(Detail::Session(id)) => {
                wants.extend([Question::Story(*id), Question::Latest(vec![id.to_string()]), Question::Tools]);
            }
            Some(Detail::Request(request)) => {
                wants.extend((request.number > 0).then_some(Question::Words(request.number)));
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
                let status = filter.field("status").filter(|s| matches!(*s, "success" | "error" | "timeout"));
                vec![Question::Requests(None, status.map(str::to_owned))]
            }
            Tab::Tools => vec![Question::Tools, Question::Trends],
            Tab::Clients => vec![Question::Clients],
            Tab::Events => vec![Question::Events],
            Tab::History => vec![Question::History(self.view.step)],
            Tab::Boots => vec![Question::Boots],
        }
    }

    /// The Archon sessions on the part of the list that is seen.
    fn seen_sessions(&self) -> Vec<String> {
        let place = Place::Tab(Tab::Sessions);
        let (Some(listing), state) = (self.listing(), self.list(place)) else { return Vec::new() };
        let seen = listing.rows.iter().skip(state.offset).take(screens::list_height(self));
        let called = |key: &String| self.session(key).is_some_and(|session| session.calls > 0);
        seen.map(|row| row.key.clone()).filter(called).collect()
    }

    /// What the list of sessions asks the store for: as much of filter and sorting as the store can do, because it holds
    /// more than a screen does.
    fn window_query(&self) -> WindowQuery {
        let state = self.list(Place::Tab(Tab::Sessions));
        let field = |name| state.filter.field(name).map(str::to_owned);
        let status = field("state");
        let named = |word: &str| {
            let all = [Status::Active, Status::Disconnected, Status::Expired];
            all.into_iter().filter(|status| status.as_str().contains(word)).collect::<Vec<_>>()
        };
        let statuses = match status.as_deref() {
            Some("idle" | "busy") => vec![Status::Active],
            Some(word) => named(word),
            None if self.view.all => Vec::new(),
            None => vec![Status::Active],
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds and counts that were typed"
        )]
        let whole = |figure: f64| figure.max(0.0) as u64;
        WindowQuery {
            statuses,
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
