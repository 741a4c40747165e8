//! A run of the server.

use std::time::Instant;

use uuid::Uuid;

use crate::model::timestamp::Timestamp;
use crate::store::boots::Begun;

/// This run of the server.
#[derive(Debug)]
pub struct Boot {
    /// Its id.
    pub id: Uuid,
    /// Its number and what came before it.
    pub begun: Begun,
    /// When it began.
    pub started_at: Timestamp,
    /// The same on the monotonic clock, for leases and uptime.
    pub started: Instant,
}

impl Boot {
    /// The first characters of its id, for people.
    pub fn instance(&self) -> String {
        self.id.simple().to_string().get(..8).unwrap_or_default().to_owned()
    }

    /// The first line of the log.
    pub(super) fn log(&self) {
        let (begun, instance) = (&self.begun, self.instance());
        let (previous, evidence) = match &begun.previous {
            None => ("none", ""),
            Some(end) => (end.cause.as_str(), end.evidence.as_str()),
        };
        let outage_s = begun.outage.as_secs();
        tracing::info!(
            boot = begun.number, %instance, previous_end = previous, evidence, outage_s,
            "MCP Server Start #{} | Instance: {instance} | previous: {previous}", begun.start_number
        );
    }
}
