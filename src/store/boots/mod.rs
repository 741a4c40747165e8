//! Runs of `archonctl serve`, and the time in which none was alive or that was nobody's idleness.

mod clock;
mod host;
mod listening;
mod outages;
mod record;

pub(super) use outages::LATEST;
pub(super) use record::SILENT_AFTER;

pub use listening::Listening;
pub use outages::{Cause, Credits, Lost, Outage};
pub use record::{Begun, DEAD_AFTER, NewBoot, Rules};
