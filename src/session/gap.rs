//! A gap in the time: what it costs, and how the log tells it.

use std::time::Duration;

use humantime::format_duration;

use crate::model::clock::Gap;
use crate::store::boots::{Cause, Lost};

/// What the wall clock says that a gap has cost.
pub(super) fn lost_of(gap: Gap) -> Lost {
    let cause = if gap.stepped_ms == 0 { Cause::Freeze } else { Cause::Clock };
    let credit_ms = gap.frozen_ms + gap.stepped_ms;
    Lost { began: gap.since, ended: gap.since.shifted(credit_ms), credit_ms, cause }
}

/// One line of the log.
pub(super) fn log(gap: Gap) {
    if gap.stepped_ms != 0 {
        let words =
            if gap.stepped_ms > 0 { "the clock was set ahead, or the machine slept" } else { "the clock was set back" };
        tracing::warn!("{words} ({}): this does not count as idle time", span(gap.stepped_ms.abs()));
    }
    if gap.frozen_ms > 0 {
        tracing::warn!("nothing ran for {}: this does not count as idle time", span(gap.frozen_ms));
    }
}

/// In which direction a clock was set, and by how much.
pub(super) fn ahead(millis: i64) -> String {
    format!("{} by {}", if millis > 0 { "ahead" } else { "back" }, span(millis.abs()))
}

/// Whole seconds, as people read them.
pub(super) fn span(millis: i64) -> String {
    format_duration(Duration::from_secs(u64::try_from(millis / 1000).unwrap_or(0))).to_string()
}
