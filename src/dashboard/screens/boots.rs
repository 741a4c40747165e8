//! Boots, the newest first:
//!
//! ```text
//!  BOOT  STARTED              RAN     STATE    RECOVERED  DOWN BEFORE  CLEANUP  VERSION  PID
//!    12  2026-01-10 12:00:00  3h02m   running         40          12s   2m ago  0.1.0    4242
//! ```

use std::time::Duration;

use super::LOADING;
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::text::{span, when};
use crate::dashboard::theme::Tone;
use crate::model::boot::EndCause;
use crate::queries::boots::Boot;

const COLUMNS: &[Column] = &[
    figure("boot", "BOOT", 0),
    text("started", "STARTED", (19, 19), 1),
    figure("ran", "RAN", 2),
    text("state", "STATE", (7, 16), 0),
    figure("recovered", "RECOVERED", 1),
    figure("outage", "DOWN BEFORE", 3),
    text("cleanup", "CLEANUP", (8, 12), 4),
    text("version", "VERSION", (5, 16), 5),
    figure("pid", "PID", 6),
];

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(boots) = &app.data.sums.boots else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    let original = app.data.pulse.as_ref().is_some_and(|pulse| pulse.original);
    let empty = if original {
        "An original Archon's database keeps no record of its boots.".to_owned()
    } else {
        format!("No server has run on this database yet: {}", app.settings.serve_hint)
    };
    Listing { columns: COLUMNS, rows: boots.iter().map(|boot| row(app, boot)).collect(), empty }
}

fn row(app: &App, boot: &Boot) -> Row {
    let up = boot.is_up(app.now);
    let end = if up { app.now } else { boot.ended_at.unwrap_or(boot.heartbeat_at) };
    let state = match (up, boot.end_cause.as_ref()) {
        (true, _) => Cell::text("running").toned(Tone::Good),
        (false, Some(cause)) if cause.is(EndCause::Clean) => Cell::text(cause.as_str()),
        (false, Some(cause)) => Cell::text(cause.as_str()).toned(Tone::Warn),
        (false, None) => Cell::text("silent").toned(Tone::Bad),
    };
    let cleanup = boot.cleanup_at.map(|at| format!("{} ago", span(app.now.since(at))));
    let outage = Duration::from_secs(boot.outage_s.try_into().unwrap_or(0));
    #[expect(clippy::cast_precision_loss, reason = "numbers of boots and processes are small")]
    let plain = |n: i64| Cell::number(n as f64, n.to_string());
    Row {
        key: boot.number.to_string(),
        cells: vec![
            plain(boot.number),
            Cell::text(when(boot.started_at)),
            Cell::span(end.since(boot.started_at)),
            state,
            boot.recovered.map_or_else(Cell::default, Cell::count),
            if outage.is_zero() { Cell::default() } else { Cell::span(outage) },
            Cell::text(cleanup.filter(|_| up).unwrap_or_default()),
            Cell::text(&boot.version),
            boot.pid.map_or_else(Cell::default, plain),
        ],
        hidden: Vec::new(),
    }
}
