//! The state of the dashboard: what is held, what is looked at, and how.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::data::{Data, Question, Step};
use super::filter::Filter;
use super::screens;
use super::table::{Listing, Sort};
use super::theme::Theme;
use crate::model::timestamp::Timestamp;
use crate::queries::requests::Request;
use crate::queries::sessions::{Session, Status};
use crate::queries::window::WindowQuery;
use crate::store::reports::page::Order;

/// The intervals of refreshing, in milliseconds.
pub(super) const INTERVALS: [u64; 7] = [500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// A screen with a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tab {
    /// Sessions.
    #[default]
    Sessions,
    /// Requests as they come.
    Requests,
    /// Tools.
    Tools,
    /// Clients.
    Clients,
    /// Events as they come.
    Events,
    /// Hours and days.
    History,
    /// Boots.
    Boots,
}

impl Tab {
    /// All of them, in order.
    pub const ALL: [Self; 7] =
        [Self::Sessions, Self::Requests, Self::Tools, Self::Clients, Self::Events, Self::History, Self::Boots];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Requests => "Requests",
            Self::Tools => "Tools",
            Self::Clients => "Clients",
            Self::Events => "Events",
            Self::History => "History",
            Self::Boots => "Boots",
        }
    }

    /// The screen with that name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.title().eq_ignore_ascii_case(name))
    }
}

/// What is looked at closely.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Detail {
    /// A session.
    Session(Uuid),
    /// A request.
    Request(Box<Request>),
}

/// A list that keeps its cursor, sorting and filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// A screen with a number.
    Tab(Tab),
    /// The requests of one session.
    Session,
}

/// Cursor, sorting and filter of a list.
#[derive(Debug, Clone, Default)]
pub(super) struct ListState {
    /// The row under the cursor.
    pub(super) cursor: usize,
    /// What that row is of; none: it stays at the top.
    pub(super) key: Option<String>,
    /// The first row that is seen.
    pub(super) offset: usize,
    /// How it is sorted; none: as it comes.
    pub(super) sort: Option<Sort>,
    /// What is shown of it.
    pub(super) filter: Filter,
}

/// What is looked at, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The screen.
    pub(super) tab: Tab,
    /// What is looked at closely, on top of it.
    pub(super) details: Vec<Detail>,
    /// The lists.
    pub(super) lists: HashMap<Place, ListState>,
    /// Tagged sessions.
    pub(super) tagged: BTreeSet<String>,
    /// Ended sessions are listed, too.
    pub(super) all: bool,
    /// The steps of history.
    pub(super) step: Step,
    /// The first line of a page that is seen.
    pub(super) scroll: usize,
}

/// What the operator chose.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Which of [`INTERVALS`].
    pub(super) interval: usize,
    /// Nothing is refreshed.
    pub(super) paused: bool,
    /// Nothing can be changed.
    pub(super) read_only: bool,
    /// Colours.
    pub(super) theme: Theme,
    /// The database's kind.
    pub(super) database: String,
    /// How to start a server on this very database.
    pub(super) serve_hint: String,
}

impl Settings {
    /// The time between two refreshes.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(INTERVALS[self.interval.min(INTERVALS.len() - 1)])
    }
}

/// What stands over the screen.
#[derive(Debug, Clone)]
pub(super) enum Dialog {
    /// A filter is typed; the one before comes back on Esc.
    Filter(String, Box<Filter>),
    /// A command is typed.
    Command(String),
    /// The keys, from that line on.
    Help(usize),
    /// Whether these sessions shall end.
    Confirm(Vec<Session>),
}

/// The database, as far as it answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    /// Why it does not answer.
    pub(super) error: Option<String>,
    /// When it last answered.
    pub(super) answered_at: Option<Timestamp>,
    /// How long its last answer to a small question took.
    pub(super) took: Option<Duration>,
    /// How much its clock is ahead of ours.
    pub(super) ahead_ms: i64,
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct App {
    /// The clock.
    pub(super) now: Timestamp,
    /// The size of the terminal.
    pub(super) size: (u16, u16),
    /// What is held.
    pub(super) data: Data,
    /// The database.
    pub(super) link: Link,
    /// What is looked at.
    pub(super) view: View,
    /// What the operator chose.
    pub(super) settings: Settings,
    /// What stands over the screen.
    pub(super) dialog: Option<Dialog>,
    /// What was done last, and until when that is told.
    pub(super) notice: Option<(String, Timestamp)>,
}

impl App {
    /// A dashboard that knows nothing yet.
    pub(super) fn new(settings: Settings, now: Timestamp, size: (u16, u16)) -> Self {
        let (data, link, view) = (Data::default(), Link::default(), View::default());
        Self { now, size, data, link, view, settings, dialog: None, notice: None }
    }

    /// The list that is seen, if one is.
    pub(super) fn place(&self) -> Option<Place> {
        match self.view.details.last() {
            None => Some(Place::Tab(self.view.tab)),
            Some(Detail::Session(_)) => Some(Place::Session),
            Some(Detail::Request(_)) => None,
        }
    }

    /// The state of a list.
    pub(super) fn list(&self, place: Place) -> ListState {
        self.view.lists.get(&place).cloned().unwrap_or_default()
    }

    /// The state of the list that is seen, to be changed.
    pub(super) fn list_mut(&mut self) -> Option<&mut ListState> {
        let place = self.place()?;
        Some(self.view.lists.entry(place).or_default())
    }

    /// The list that is seen: sorted and filtered.
    pub(super) fn listing(&self) -> Option<Listing> {
        let place = self.place()?;
        let state = self.list(place);
        let mut listing = screens::listing(self, place);
        let seen_to: &[&str] = if place == Place::Tab(Tab::Sessions) { &["tool"] } else { &[] };
        state.filter.apply(&mut listing, seen_to);
        if let Some(sort) = state.sort {
            listing.sort(sort);
        }
        Some(listing)
    }

    /// The key of the row under the cursor.
    pub(super) fn under_cursor(&self) -> Option<String> {
        let listing = self.listing()?;
        let cursor = self.list(self.place()?).cursor;
        listing.rows.get(cursor).map(|row| row.key.clone())
    }

    /// Puts the cursor of the list that is seen where its row is now, and the row where it is seen.
    pub(super) fn settle(&mut self) {
        let Some(listing) = self.listing() else { return };
        let height = screens::list_height(self).max(1);
        let Some(state) = self.list_mut() else { return };
        let found = state.key.as_ref().and_then(|key| listing.rows.iter().position(|row| row.key == *key));
        let last = listing.rows.len().saturating_sub(1);
        state.cursor = found.unwrap_or(if state.key.is_none() { 0 } else { state.cursor }).min(last);
        state.offset = state.offset.clamp((state.cursor + 1).saturating_sub(height), state.cursor);
        state.offset = state.offset.min(listing.rows.len().saturating_sub(height));
    }

    /// A session of the list, by its id.
    pub(super) fn session(&self, id: &str) -> Option<&Session> {
        let listed = self.data.sessions.as_ref().and_then(|list| list.rows.iter().find(|s| s.session_id == id));
        listed.or_else(|| {
            let story = self.data.closer.story.as_ref()?;
            (story.session.session_id == id).then_some(&story.session)
        })
    }

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
        // Last: what is only warned of can wait for what is looked at.
        wants.push(Question::Crowds);
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
            Tab::Tools => vec![Question::Tools],
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
