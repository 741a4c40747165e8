//! What a flush writes besides the sums: which sessions were used.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::rows::sql;
use crate::model::timestamp::Timestamp;

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
#[derive(Debug, Default)]
pub struct Touches {
    /// Protocol sessions used since the last flush.
    pub protocol: Vec<ProtocolTouch>,
    /// Archon sessions used since the last flush.
    pub archon: Vec<ArchonTouch>,
}

impl Touches {
    /// In the order in which every flush writes them, so that two servers never wait for each other in a circle.
    pub(super) fn sort(&mut self) {
        self.protocol.sort_unstable_by(|a, b| a.protocol_session_id.cmp(&b.protocol_session_id));
        self.archon.sort_unstable_by_key(|t| t.session_id);
    }
}
