//! What is asked in one refresh, and why there is one.

use std::time::Duration;

use super::question::Question;

/// Why there is a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is time.
    Interval,
    /// Sessions have ended.
    Ended,
    /// Everything shall be asked.
    All,
}

/// What is asked now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wants {
    /// The questions.
    pub(super) questions: Vec<Question>,
    /// How often.
    pub(super) interval: Duration,
    /// Not at all.
    pub(super) paused: bool,
    /// Counts up when everything shall be asked at once.
    pub(super) refresh: u64,
}
