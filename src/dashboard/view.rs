//! What is looked at, and how: screens, lists, cursors.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::question::Step;
use super::table::Sort;
use crate::queries::requests::Request;

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
    /// A session, by an id of either kind.
    Session(String),
    /// A request.
    Request(Box<Request>),
}

/// A list that keeps its cursor, sorting and filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ListId {
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
    pub(super) lists: HashMap<ListId, ListState>,
    /// Tagged sessions.
    pub(super) tagged: BTreeSet<String>,
    /// Ended sessions are listed, too.
    pub(super) all: bool,
    /// The steps of history.
    pub(super) step: Step,
    /// The first line of a page that is seen.
    pub(super) scroll: usize,
}
