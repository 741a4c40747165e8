//! The state of the dashboard: what is held, what is looked at, what was chosen.

use std::time::Duration;

use super::data::Data;
use super::filter::Filter;
use super::text::span;
use super::theme::Theme;
use super::view::{Detail, ListId, ListState, View};
use crate::model::timestamp::Timestamp;
use crate::queries::sessions::Session;

/// The intervals of refreshing, in milliseconds.
pub(super) const INTERVALS: [u64; 7] = [500, 1000, 2000, 5000, 10_000, 30_000, 60_000];
/// How long a notice is told.
const TOLD_FOR: Duration = Duration::from_secs(6);

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

    /// The same as it is told.
    pub(super) fn interval_text(&self) -> String {
        let interval = self.interval();
        if interval.as_millis() < 1000 { format!("{}ms", interval.as_millis()) } else { span(interval) }
    }
}

/// Which of [`INTERVALS`] is the nearest.
pub(super) fn nearest_interval(asked: Duration) -> usize {
    let asked = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
    let nearest = INTERVALS.iter().enumerate().min_by_key(|(_, ms)| ms.abs_diff(asked));
    nearest.map_or(0, |(at, _)| at)
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
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct State {
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

impl State {
    /// A dashboard that knows nothing yet.
    pub(super) fn new(settings: Settings, now: Timestamp, size: (u16, u16)) -> Self {
        let (data, link, view) = (Data::default(), Link::default(), View::default());
        Self { now, size, data, link, view, settings, dialog: None, notice: None }
    }

    /// The list that is seen, if one is.
    pub(super) fn list_id(&self) -> Option<ListId> {
        match self.view.details.last() {
            None => Some(ListId::Tab(self.view.tab)),
            Some(Detail::Session(_)) => Some(ListId::Session),
            Some(Detail::Request(_)) => None,
        }
    }

    /// The state of a list.
    pub(super) fn list(&self, list_id: ListId) -> ListState {
        self.view.lists.get(&list_id).cloned().unwrap_or_default()
    }

    /// The state of the list that is seen.
    pub(super) fn seen_list(&self) -> Option<ListState> {
        self.list_id().map(|list_id| self.list(list_id))
    }

    /// The state of the list that is seen, to be changed.
    pub(super) fn list_mut(&mut self) -> Option<&mut ListState> {
        let list_id = self.list_id()?;
        Some(self.view.lists.entry(list_id).or_default())
    }

    /// Filters the list that is seen, from its top on.
    pub(super) fn set_filter(&mut self, filter: Filter) {
        if let Some(list) = self.list_mut().filter(|list| list.filter != filter) {
            (list.filter, list.cursor, list.key) = (filter, 0, None);
        }
    }

    /// Tells something for a while.
    pub(super) fn show_notice(&mut self, text: impl Into<String>) {
        self.notice = Some((text.into(), self.now.plus(TOLD_FOR)));
    }

    /// A session of the list, or the one that is looked at, by its id.
    pub(super) fn session(&self, id: &str) -> Option<&Session> {
        let listed = self.data.sessions.as_ref().and_then(|list| list.rows.iter().find(|s| s.id() == id));
        listed.or_else(|| {
            let looked_at = self.view.details.last() == Some(&Detail::Session(id.to_owned()));
            let story = self.data.closer.story.as_ref()?;
            (looked_at || story.session.id() == id).then_some(&story.session)
        })
    }
}
