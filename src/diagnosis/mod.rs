//! What is wrong now, and why: rules over what [`crate::queries`] have read.
//!
//! A rule is a pure function of a [`Snapshot`] and [`Thresholds`]; it says what it found, in which subject, on which
//! evidence, and what to do next. Whoever shows findings (the dashboard, a command, an alert) shows the same ones.

mod calls;
mod clients;
mod finding;
mod look;
mod overall;
mod problem;
mod server;
mod sessions;
mod snapshot;
mod thresholds;

pub use clients::of_client;
pub use finding::{Finding, Rule, Severity, Subject};
pub use look::look;
pub use overall::overall;
pub use problem::Problem;
pub use sessions::of_session;
pub use snapshot::Snapshot;
pub use thresholds::Thresholds;
