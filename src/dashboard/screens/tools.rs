//! Tools of the last day:
//!
//! ```text
//!  TOOL           CALLS  SHARE  ERR  ERR%  P50    P95    P99    24 HOURS                  SLOWEST  CALL
//!  find_projects   1204    61%    3  0.2%  1.2ms  3.1ms  9.0ms         ▁▂▃▃▅▇█▆▅▃▂▁         412ms  #90412
//! ```

use std::time::Duration;

use super::LOADING;
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::text::{curve, percent};
use crate::dashboard::theme::Tone;
use crate::queries::requests::Request;
use crate::queries::trends::Trends;
use crate::queries::usage::Usage;

const COLUMNS: &[Column] = &[
    text("tool", "TOOL", (16, 40), 0),
    figure("calls", "CALLS", 0),
    figure("share", "SHARE", 5),
    figure("errors", "ERR", 1),
    figure("error_rate", "ERR%", 2),
    figure("timeouts", "TIMEOUTS", 9),
    figure("p50", "P50", 6),
    figure("p95", "P95", 1),
    figure("p99", "P99", 6),
    figure("mean", "MEAN", 7),
    figure("tokens", "TOKENS", 7),
    text("trend", "24 HOURS", (HOURS, HOURS), 3),
    figure("slowest", "SLOWEST", 3),
    text("call", "CALL", (6, 10), 8),
];

/// A column of the screen an hour.
const HOURS: usize = 24;

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(statistics) = &app.data.sums.tools else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    let rows = statistics.groups.iter().map(|group| row(app, group, statistics.total.calls)).collect();
    let empty = "No tool was called in the last 24 hours. archonctl tools lists what a server offers.".to_owned();
    Listing { columns: COLUMNS, rows, empty }
}

/// The slowest call of a tool, as far as it is known.
pub(in crate::dashboard) fn slowest<'a>(app: &'a App, tool: &str) -> Option<&'a Request> {
    let mut all = app.data.sums.trends.as_ref()?.slowest();
    all.find(|request| request.tool_name.as_deref() == Some(tool))
}

/// Its calls, hour by hour up to this one.
#[expect(clippy::cast_precision_loss, reason = "heights of a curve")]
fn trend(app: &App, tool: &str) -> Cell {
    let hours: Vec<_> = app.data.sums.trends.iter().flat_map(Trends::hours).filter(|h| h.tool == tool).collect();
    let first = app.now.hour().minus(Duration::from_hours(HOURS as u64 - 1));
    let at = |n: usize| first.plus(Duration::from_hours(n as u64));
    let calls = |n| hours.iter().find(|hour| hour.hour == at(n)).map_or(0.0, |hour| hour.calls as f64);
    Cell::text(curve(&(0..HOURS).map(calls).collect::<Vec<_>>())).toned(Tone::Good)
}

#[expect(clippy::cast_precision_loss, reason = "shares, shown with three digits")]
fn row(app: &App, usage: &Usage, all: i64) -> Row {
    let share = |part: i64, whole: i64| {
        if whole == 0 {
            Cell::default()
        } else {
            Cell::number(part as f64 * 100.0 / whole as f64, percent(part, whole))
        }
    };
    let wrong = |cell: Cell| if usage.errors > 0 { cell.toned(Tone::Warn) } else { cell };
    let slowest = slowest(app, &usage.name);
    Row {
        key: usage.name.clone(),
        cells: vec![
            Cell::text(&usage.name),
            Cell::count(usage.calls),
            share(usage.calls, all),
            wrong(Cell::count(usage.errors)),
            wrong(share(usage.errors, usage.calls)),
            usage.timeouts.filter(|n| *n > 0).map_or_else(Cell::default, Cell::count),
            Cell::millis(usage.p50_ms),
            Cell::millis(usage.p95_ms),
            Cell::millis(usage.p99_ms),
            Cell::millis(usage.mean_ms),
            Cell::count(usage.prompt_tokens + usage.completion_tokens),
            trend(app, &usage.name),
            Cell::millis(slowest.and_then(|request| request.duration_ms)),
            slowest.map_or_else(Cell::default, |request| Cell::text(format!("#{}", request.id))),
        ],
        hidden: Vec::new(),
    }
}
