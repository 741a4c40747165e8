//! Tools of the last day:
//!
//! ```text
//!  TOOL           CALLS  SHARE  ERR   ERR%  P50    P95    P99    MEAN   TOKENS
//!  find_projects   1204    61%    3  0.2%  1.2ms  3.1ms  9.0ms  1.4ms   12.3k  ██████
//! ```

use super::LOADING;
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::text::{bar, percent};
use crate::dashboard::theme::Tone;
use crate::queries::usage::Usage;

const COLUMNS: &[Column] = &[
    text("tool", "TOOL", (16, 40), 0),
    figure("calls", "CALLS", 0),
    figure("share", "SHARE", 3),
    figure("errors", "ERR", 1),
    figure("error_rate", "ERR%", 2),
    figure("timeouts", "TIMEOUTS", 7),
    figure("p50", "P50", 4),
    figure("p95", "P95", 1),
    figure("p99", "P99", 5),
    figure("mean", "MEAN", 6),
    figure("tokens", "TOKENS", 6),
    text("trend", "", (4, 20), 8),
];

/// The columns of the screen that a bar takes at most.
const BAR: usize = 20;

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(statistics) = &app.data.sums.tools else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    let most = statistics.groups.iter().map(|group| group.calls).max().unwrap_or(0);
    let rows = statistics.groups.iter().map(|group| row(group, statistics.total.calls, most)).collect();
    let empty = "No tool was called in the last 24 hours. archonctl tools lists what a server offers.".to_owned();
    Listing { columns: COLUMNS, rows, empty }
}

#[expect(clippy::cast_precision_loss, reason = "shares, shown with three digits")]
fn row(usage: &Usage, all: i64, most: i64) -> Row {
    let share = |part: i64, whole: i64| {
        if whole == 0 {
            Cell::default()
        } else {
            Cell::number(part as f64 * 100.0 / whole as f64, percent(part, whole))
        }
    };
    let wrong = |cell: Cell| if usage.errors > 0 { cell.toned(Tone::Warn) } else { cell };
    Row {
        key: usage.name.clone(),
        cells: vec![
            Cell::text(&usage.name),
            Cell::count(usage.calls),
            share(usage.calls, all),
            wrong(Cell::count(usage.errors)),
            wrong(share(usage.errors, usage.calls)),
            usage.timeouts.filter(|n| *n > 0).map_or_else(Cell::default, Cell::count),
            Cell::millis(usage.latency.p50_ms),
            Cell::millis(usage.latency.p95_ms),
            Cell::millis(usage.latency.p99_ms),
            Cell::millis(usage.mean_ms),
            Cell::count(usage.prompt_tokens + usage.completion_tokens),
            Cell::text(bar(usage.calls as f64, most as f64, BAR)).toned(Tone::Good),
        ],
        hidden: Vec::new(),
    }
}
