//! Runs of `archonctl serve`, and the time in which none was alive or that was nobody's idleness.

mod clock;
mod ending;
mod heartbeat;
mod host;
mod listening;
mod outages;
mod record;

pub(super) use heartbeat::SILENT_AFTER;
pub(super) use outages::LATEST;

pub use ending::SeenEnd;
pub use heartbeat::{DEAD_AFTER, Vitals};
pub use listening::Listening;
pub use outages::{Cause, Credits, Lost, Outage};
pub use record::{Begun, NewBoot, Rules, ServerName};
