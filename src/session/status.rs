//! What a server says of itself: one shape for `/health`, `health_check` and `session_info`.

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// A server at one moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The moment.
    pub now: Timestamp,
    /// Since the process started (not since its first client).
    pub uptime: Duration,
    /// Which run this is of all that the database knows; 1 is the first.
    pub boot_number: i64,
    /// Whether the database answered just now.
    pub database_answers: bool,
    /// How long its answer took.
    pub database_time: Duration,
    /// Live Archon sessions; `None` when the store cannot tell.
    pub active_sessions: Option<i64>,
    /// Live protocol sessions; `None` when the store cannot tell.
    pub protocol_sessions: Option<i64>,
    /// Sessions that were live when this boot began; `None` until they are counted.
    pub recovered: Option<i64>,
    /// When the cleanup last ran in this boot.
    pub last_cleanup: Option<Timestamp>,
    /// How many sessions it has ended in this boot.
    pub cleaned_up: u64,
    /// Whether the server is stopping.
    pub draining: bool,
}
