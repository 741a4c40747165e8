//! The list of events in the lives of sessions.

use std::time::Duration;

use super::Queries;
use super::find::Found;
use crate::model::event::EventKind;
use crate::model::word::Word;
use crate::store::StoreError;
pub use crate::store::reports::events::Event;
use crate::store::reports::events::{Concerns, EventFilter};
use crate::store::reports::requests::Part;

/// The number of rows that whoever follows reads at once.
pub(super) const AT_ONCE: i64 = 10_000;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of that session.
    pub session: Option<Found>,
    /// Of that kind.
    pub kind: Option<Word<EventKind>>,
    /// Within that time.
    pub since: Option<Duration>,
}

impl Found {
    /// Whose events it means: those of the Archon session, if that was named, else those of the connection.
    fn concerns(&self) -> Option<Concerns> {
        let archon = self.session_id.map(Concerns::Archon);
        archon.or_else(|| self.connection().map(|id| Concerns::Connection(id.to_owned())))
    }
}

impl Queries {
    /// The last events that pass a filter, the oldest first; `None` is all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, query: &EventQuery, limit: Option<usize>) -> Result<Vec<Event>, StoreError> {
        let limit = limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        self.events_in(query, Part::Last(limit)).await
    }

    /// The first events after that number that pass a filter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events_after(&self, query: &EventQuery, after: i64) -> Result<Vec<Event>, StoreError> {
        self.events_in(query, Part::After(after, AT_ONCE)).await
    }

    async fn events_in(&self, query: &EventQuery, part: Part) -> Result<Vec<Event>, StoreError> {
        let filter = EventFilter {
            session: query.session.as_ref().and_then(Found::concerns),
            kind: query.kind.clone(),
            since: query.since.map(|since| self.clock.now().minus(since)),
        };
        self.store.events(&filter, part).await
    }
}
