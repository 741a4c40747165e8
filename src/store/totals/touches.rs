//! What a flush writes besides the sums: which sessions were used.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::model::timestamp::Timestamp;
use crate::store::rows::sql;

/// A session was used: its new last activity and the end of its time.
#[derive(Debug, Clone, Serialize)]
pub struct ProtocolTouch {
    /// Which one.
    pub protocol_session_id: Arc<str>,
    /// When it was last used.
    #[serde(serialize_with = "sql")]
    pub last_activity: Timestamp,
    /// Until when it is valid.
    #[serde(serialize_with = "sql")]
    pub expires_at: Timestamp,
    /// The boot that says so.
    pub boot: i64,
    /// The last outage that `expires_at` includes.
    pub credited: i64,
}

/// The same for an Archon session.
#[derive(Debug, Clone, Serialize)]
pub struct ArchonTouch {
    /// Which one.
    pub session_id: Uuid,
    /// When it was last used.
    #[serde(serialize_with = "sql")]
    pub last_activity: Timestamp,
    /// Until when it is valid.
    #[serde(serialize_with = "sql")]
    pub expires_at: Timestamp,
    /// The boot that says so.
    pub boot: i64,
    /// The last outage that `expires_at` includes.
    pub credited: i64,
}

/// What one flush writes besides the sums.
#[derive(Debug, Clone, Default)]
pub struct Touches {
    /// Protocol sessions used since the last flush.
    pub protocol: Vec<ProtocolTouch>,
    /// Archon sessions used since the last flush.
    pub archon: Vec<ArchonTouch>,
}

/// What a flush does to one session: where its time goes, and what is added to its counters. The field names are column
/// names, and what is absent is NULL.
#[derive(Debug, Default, Serialize)]
pub(in crate::store) struct FlushRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_session_id: Option<Arc<str>>,
    #[serde(flatten)]
    times: Option<Times>,
    #[serde(flatten)]
    counters: Added,
}

#[derive(Debug, Serialize)]
struct Times {
    #[serde(serialize_with = "sql")]
    last_activity: Timestamp,
    #[serde(serialize_with = "sql")]
    expires_at: Timestamp,
    boot: i64,
    credited: i64,
}

/// What is added to a session's counters.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(in crate::store) struct Added {
    pub(in crate::store) calls: i64,
    pub(in crate::store) errors: i64,
    pub(in crate::store) prompt_tokens: i64,
    pub(in crate::store) completion_tokens: i64,
}

impl Touches {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.protocol.is_empty() && self.archon.is_empty()
    }

    /// One of the sessions, as text.
    pub(in crate::store) fn any(&self) -> Option<String> {
        let archon = self.archon.first().map(|touch| touch.session_id.to_string());
        archon.or_else(|| self.protocol.first().map(|touch| touch.protocol_session_id.to_string()))
    }

    /// Those of Archon sessions and of connections that are in these sets, and not.
    pub(in crate::store) fn split(&self, archon: &HashSet<Uuid>, protocol: &HashSet<String>) -> (Self, Self) {
        let of_archon = |touch: &ArchonTouch| archon.contains(&touch.session_id);
        let of_protocol = |touch: &ProtocolTouch| protocol.contains(&*touch.protocol_session_id);
        let (archon, other_archon) = self.archon.iter().cloned().partition(of_archon);
        let (protocol, other_protocol) = self.protocol.iter().cloned().partition(of_protocol);
        (Self { protocol, archon }, Self { protocol: other_protocol, archon: other_archon })
    }

    /// The rows of Archon sessions that are touched or counted, by id.
    pub(in crate::store) fn archon_rows(
        &self,
        counted: impl Iterator<Item = (Uuid, Added)>,
    ) -> BTreeMap<Uuid, FlushRow> {
        let mut rows = BTreeMap::<Uuid, FlushRow>::new();
        for touch in &self.archon {
            let ArchonTouch { session_id, last_activity, expires_at, boot, credited } = *touch;
            rows.entry(session_id).or_default().times = Some(Times { last_activity, expires_at, boot, credited });
        }
        for (id, counters) in counted {
            rows.entry(id).or_default().counters = counters;
        }
        for (id, row) in &mut rows {
            row.session_id = Some(*id);
        }
        rows
    }

    /// The same for protocol sessions.
    pub(in crate::store) fn protocol_rows(
        &self,
        counted: impl Iterator<Item = (Arc<str>, Added)>,
    ) -> BTreeMap<Arc<str>, FlushRow> {
        let mut rows = BTreeMap::<Arc<str>, FlushRow>::new();
        for touch in &self.protocol {
            let ProtocolTouch { last_activity, expires_at, boot, credited, .. } = *touch;
            let times = Some(Times { last_activity, expires_at, boot, credited });
            rows.entry(touch.protocol_session_id.clone()).or_default().times = times;
        }
        for (id, counters) in counted {
            rows.entry(id).or_default().counters = counters;
        }
        for (id, row) in &mut rows {
            row.protocol_session_id = Some(id.clone());
        }
        rows
    }
}
