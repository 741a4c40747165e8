//! A request that runs no tool: how it begins, and what is recorded at its end.

use std::time::Instant;

use uuid::Uuid;

use super::answer::Answer;
use super::answered::Answered;
use super::record::Handled;
use super::{Busy, Caller, Engine};
use crate::model::timestamp::Timestamp;

/// The beginning of a request that runs no tool.
pub(super) struct Begin {
    pub(super) received: Timestamp,
    at: Instant,
    /// The Archon session of its row; none where it does not exist yet.
    pub(super) existing: Option<Uuid>,
    /// The same, or the one that will adopt the row.
    pub(super) archon: Uuid,
}

impl Engine {
    /// A request that runs no tool begins: it belongs to the session's own Archon session.
    pub(super) fn begin(&self, caller: &Caller) -> Result<Begin, Busy> {
        self.admits()?;
        let (received, at) = (self.sessions.clock().now(), Instant::now());
        let live = caller.visitor.live();
        let existing = live.archon().map(|archon| archon.id);
        let archon = existing.unwrap_or_else(|| live.archon_id());
        caller.exchange.set_archon(archon);
        Ok(Begin { received, at, existing, archon })
    }

    /// Records a request that ran no tool: under this label in the metrics, and under this name in its row.
    pub(super) async fn finish_request(
        &self,
        caller: &Caller,
        begin: Begin,
        (label, name): (&'static str, &str),
        told: Answered,
    ) -> Answer {
        let took = begin.at.elapsed();
        self.meter.count(label, None, told.status, took);
        let commit = self
            .record(Handled {
                session_id: begin.existing,
                method: name,
                error: told.error,
                duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
                ..Handled::of(&caller.visitor, begin.received, told.status)
            })
            .await;
        Answer { body: told.body, archon: Some(begin.archon), recorded: commit.into(), ..Answer::default() }
    }
}
