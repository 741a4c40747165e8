//! What a screen can want to know.

use std::time::Duration;

use crate::model::request::RequestStatus;
use crate::queries::window::WindowQuery;

/// What a screen wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// The header: boots and curves.
    Pulse,
    /// How many sessions have not ended.
    Counts,
    /// How many have.
    Ended,
    /// Who has many sessions open.
    Crowds,
    /// A list of sessions.
    Sessions(WindowQuery),
    /// What those sessions did last.
    Latest(Vec<String>),
    /// All of one session, by an id of either kind.
    Story(String),
    /// The stream of requests, with that status.
    Requests(Option<RequestStatus>),
    /// What was said in a call.
    Capture(i64),
    /// Tools of the last day.
    Tools,
    /// Their hours and slowest calls.
    Trends,
    /// Clients.
    Clients,
    /// The stream of events.
    Events,
    /// Hours of the last two days, or days of the last month.
    History(Step),
    /// Boots.
    Boots,
}

impl Question {
    /// Its name, for figures.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Pulse => "pulse",
            Self::Counts => "counts",
            Self::Ended => "ended",
            Self::Crowds => "crowds",
            Self::Sessions(_) => "sessions",
            Self::Latest(_) => "latest",
            Self::Story(_) => "story",
            Self::Requests(_) => "requests",
            Self::Capture(_) => "capture",
            Self::Tools => "tools",
            Self::Trends => "trends",
            Self::Clients => "clients",
            Self::Events => "events",
            Self::History(_) => "history",
            Self::Boots => "boots",
        }
    }
}

/// The steps of history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// By the hour.
    #[default]
    Hour,
    /// By the day.
    Day,
}

impl Step {
    /// How far back it goes.
    pub(super) const fn reach(self) -> Duration {
        match self {
            Self::Hour => Duration::from_hours(48),
            Self::Day => Duration::from_hours(24 * 30),
        }
    }
}
