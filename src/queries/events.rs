//! The list of events in the lives of sessions.

use std::time::Duration;

use super::Queries;
use super::find::Found;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::events::{Concerns, EventFilter, EventRow};
use crate::store::reports::requests::Part;
use serde::{Deserialize, Serialize};

/// The number of rows that whoever follows reads at once.
pub(super) const AT_ONCE: i64 = 10_000;

/// One change in a session's life:
///
/// ```json
/// {"id": 3, "at": "2026-01-10T12:00:00.000Z", "kind": "ended", "session_id": "…", "protocol_session_id": null,
///  "reason": "timeout", "actor": "server"}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// `initialised`, `created`, `ended`, `recovered`, `refused`, `expire`, …
    pub kind: String,
    /// The Archon session it concerns.
    pub session_id: Option<String>,
    /// The protocol session it concerns.
    pub protocol_session_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub actor: Option<String>,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            kind: row.kind,
            session_id: row.session_id,
            protocol_session_id: row.protocol_session_id,
            reason: row.reason,
            actor: row.actor,
        }
    }
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of that session.
    pub session: Option<Found>,
    /// Of that kind.
    pub kind: Option<String>,
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
        Ok(self.store.events(&filter, part).await?.into_iter().map(Event::from).collect())
    }
}
