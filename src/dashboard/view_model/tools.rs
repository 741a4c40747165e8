//! Tools of the last day:
//!
//! ```text
//!  TOOL           CALLS  SHARE  ERR  ERR%  P50    P95    P99    24 HOURS                  SLOWEST  CALL
//!  find_projects   1204    61%    3  0.2%  1.2ms  3.1ms  9.0ms         ▁▂▃▃▅▇█▆▅▃▂▁         412ms  #90412
//! ```

use std::time::Duration;

use super::empty::LOADING;
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::dashboard::text::curve;
use crate::queries::columns::{Listed, Slowest, Within};
use crate::queries::trends::Trends;
use crate::queries::usage::{Group, Usage};

/// The hours of a trend: a column of the screen an hour.
const HOURS: usize = 24;

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(statistics) = &state.data.sums.tools else { return Listing::of(Usage::SCREEN, Vec::new(), LOADING) };
    let row = |usage: &Usage| {
        let within = within(state, &usage.name, statistics.total.calls);
        Row { key: usage.name.clone(), cells: cells(Usage::SCREEN, usage, &within), hidden: Vec::new() }
    };
    let empty = "No tool was called in the last 24 hours. archonctl tools lists what a server offers.";
    Listing::of(Usage::SCREEN, statistics.groups.iter().map(row).collect(), empty)
}

fn within(state: &State, tool: &str, calls: i64) -> Within {
    let slowest = state.data.slowest(tool);
    Within {
        calls,
        trend: trend(state, tool),
        slowest: slowest.map(|request| Slowest { id: request.id.clone(), ms: request.duration_ms }),
        ..Within::of(Group::Tool)
    }
}

/// Its calls, hour by hour up to this one.
#[expect(clippy::cast_precision_loss, reason = "heights of a curve")]
fn trend(state: &State, tool: &str) -> String {
    let hours: Vec<_> = state.data.sums.trends.iter().flat_map(Trends::hours).filter(|h| h.tool == tool).collect();
    let first = state.now.hour().minus(Duration::from_hours(HOURS as u64 - 1));
    let at = |n: usize| first.plus(Duration::from_hours(n as u64));
    let calls = |n| hours.iter().find(|hour| hour.hour == at(n)).map_or(0.0, |hour| hour.calls as f64);
    curve(&(0..HOURS).map(calls).collect::<Vec<_>>())
}
