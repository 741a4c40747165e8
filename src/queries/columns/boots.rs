//! Columns of boots: the runs of servers.

use std::time::Duration;

use super::{Cell, Column, Listed, Tone, Value, members};
use crate::model::boot::{Confidence, EndCause};
use crate::model::figures::bytes as bytes_of;
use crate::model::timestamp::Timestamp;
use crate::queries::boots::Boot;

impl Listed for Boot {
    type Context = Timestamp;

    const LIST: &'static str = "boots";

    const TABLE: &'static [Column<Self>] = &[
        Column::figure("start", "START", 0, |b, _| Cell::maybe_number(b.start_number)),
        Column::text("instance", "INSTANCE", 8, 1, |b, _| Cell::maybe(b.instance.as_deref())),
        Column::text("started", "STARTED", 19, 0, |b, _| Value::When(b.started_at).into()),
        Column::figure("ran", "RAN", 1, |b, now| Cell::span(b.ran(*now))),
        Column::text("state", "STATE", 7, 0, |b, now| b.state_cell(*now)),
        Column::text("evidence", "BECAUSE", 12, 2, |b, _| b.evidence_cell()),
        Column::figure("recovered", "RECOVERED", 3, |b, _| b.recovered.map_or_else(Cell::default, Cell::count)),
        Column::figure("outage", "DOWN BEFORE", 3, |b, _| b.outage_cell()),
        Column::text("host", "HOST", 6, 4, |b, _| Cell::maybe(b.host.as_deref())),
        Column::text("address", "ADDRESS", 10, 4, |b, _| Cell::maybe(b.listen.as_deref())),
        Column::figure("memory", "MEMORY", 5, |b, _| b.memory_cell()),
        Column::text("version", "VERSION", 5, 6, |b, _| Cell::text(&b.version)),
        Column::figure("pid", "PID", 6, |b, _| Cell::maybe_number(b.pid)),
    ];

    const SCREEN: &'static [Column<Self>] = &[
        Column::figure("boot", "BOOT", 0, |b, _| Value::Number(b.number).into()),
        Column::within("started", "STARTED", (19, 19), 1, |b, _| Value::When(b.started_at).into()),
        Column::figure("ran", "RAN", 2, |b, now| Cell::span(b.ran(*now))),
        Column::within("state", "STATE", (7, 16), 0, |b, now| b.state_cell(*now)),
        Column::figure("recovered", "RECOVERED", 1, |b, _| b.recovered.map_or_else(Cell::default, Cell::count)),
        Column::figure("outage", "DOWN BEFORE", 3, |b, _| b.outage_cell()),
        Column::within("cleanup", "CLEANUP", (8, 12), 4, |b, now| b.cleanup_cell(*now)),
        Column::within("version", "VERSION", (5, 16), 5, |b, _| Cell::text(&b.version)),
        Column::figure("pid", "PID", 6, |b, _| Cell::maybe_number(b.pid)),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Boot {
    /// How long it ran, or has run.
    fn ran(&self, now: Timestamp) -> Duration {
        let end = if self.is_up(now) { now } else { self.ended_at.unwrap_or(self.heartbeat_at) };
        end.since(self.started_at)
    }

    fn state_cell(&self, now: Timestamp) -> Cell {
        match &self.end_cause {
            _ if self.is_up(now) => Cell::text("running").toned(Tone::Good),
            Some(cause) if cause.is(EndCause::Clean) => Cell::text(cause),
            Some(cause) => Cell::text(cause).toned(Tone::Warn),
            None => Cell::text("silent").toned(Tone::Bad),
        }
    }

    /// What shows how it ended, unless it was in order.
    fn evidence_cell(&self) -> Cell {
        let is_in_order = self.end_cause.as_ref().is_some_and(|cause| cause.is(EndCause::Clean));
        let Some(evidence) = self.end_evidence.as_deref().filter(|_| !is_in_order) else { return Cell::default() };
        match &self.end_confidence {
            Some(confidence) if !confidence.is(Confidence::Certain) => Cell::text(format!("{confidence}: {evidence}")),
            _ => Cell::text(evidence),
        }
    }

    fn memory_cell(&self) -> Cell {
        self.memory_bytes.map_or_else(Cell::default, |bytes| Cell::text(bytes_of(bytes)))
    }

    fn outage_cell(&self) -> Cell {
        let outage = Duration::from_secs(self.outage_s.try_into().unwrap_or(0));
        if outage.is_zero() { Cell::default() } else { Cell::span(outage) }
    }

    fn cleanup_cell(&self, now: Timestamp) -> Cell {
        let cleanup = self.cleanup_at.filter(|_| self.is_up(now));
        cleanup.map_or_else(Cell::default, |at| Cell::ago(at, now))
    }
}
