//! Hours and days, the newest first; below them each client's averages, as the guide's query has them:
//!
//! ```text
//!  TIME              SESSIONS  CALLS  OK    ERR  MEAN   P95    TOKENS
//!  2026-01-10 12:00        12   1204  99%     3  1.4ms  3.1ms   12.3k  ███
//!
//!  Sessions by client: Claude Code 12 (10m04s on average) · Cursor 3 (1h02m)
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{LOADING, overlay};
use crate::dashboard::app::App;
use crate::dashboard::data::{History, Step};
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::text::{bar, count, percent, span};
use crate::dashboard::theme::Tone;
use crate::model::timestamp::Timestamp;
use crate::queries::usage::Usage;

const COLUMNS: &[Column] = &[
    text("time", "TIME", (16, 16), 0),
    figure("sessions", "SESSIONS", 1),
    figure("calls", "CALLS", 0),
    figure("success", "OK", 2),
    figure("errors", "ERR", 1),
    figure("mean", "MEAN", 4),
    figure("p95", "P95", 3),
    figure("tokens", "TOKENS", 5),
    text("trend", "", (BAR, BAR), 6),
];

/// The columns of the screen that a bar takes at most: none is cut, or all would look alike.
const BAR: usize = 10;
/// Below this number of lines there is no room for the clients.
const ROOM_FOR_CLIENTS: u16 = 12;

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(history) = &app.data.sums.history else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    let empty = "No session and no call in that time.".to_owned();
    Listing { columns: COLUMNS, rows: rows(history), empty }
}

fn rows(history: &History) -> Vec<Row> {
    let mut steps = BTreeMap::<String, (i64, Usage)>::new();
    for (hour, sessions) in &history.begun {
        let step = if history.step == Step::Day { hour.day() } else { *hour };
        steps.entry(step.to_string()).or_default().0 += sessions;
    }
    for usage in &history.usage.groups {
        steps.entry(usage.name.clone()).or_default().1 = usage.clone();
    }
    let most = steps.values().map(|(_, usage)| usage.calls).max().unwrap_or(0);
    steps.into_iter().rev().map(|(time, (sessions, usage))| row(history.step, &time, sessions, &usage, most)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "shares, shown with three digits")]
fn row(step: Step, time: &str, sessions: i64, usage: &Usage, most: i64) -> Row {
    let shown = Timestamp::parse_sql(time).map(Timestamp::sql_text).unwrap_or_default();
    let shown = shown.get(..if step == Step::Day { 10 } else { 16 }).unwrap_or_default();
    let good = usage.calls - usage.errors;
    let success = if usage.calls == 0 {
        Cell::default()
    } else {
        Cell::number(good as f64 * 100.0 / usage.calls as f64, percent(good, usage.calls))
    };
    Row {
        key: time.to_owned(),
        cells: vec![
            Cell::text(shown),
            Cell::count(sessions),
            Cell::count(usage.calls),
            success,
            Cell::count(usage.errors).toned(if usage.errors > 0 { Tone::Warn } else { Tone::Dim }),
            Cell::millis(usage.mean_ms),
            Cell::millis(usage.p95_ms),
            Cell::count(usage.prompt_tokens + usage.completion_tokens),
            Cell::text(bar(usage.calls as f64, most as f64, BAR)).toned(Tone::Good),
        ],
        hidden: Vec::new(),
    }
}

/// The clients need a third of the screen at most.
pub(super) fn list_area(body: Rect) -> Rect {
    let below = if body.height < ROOM_FOR_CLIENTS { 0 } else { (body.height / 3).min(5) };
    Rect { height: body.height - below, ..body }
}

/// Archon sessions of each client and how long they lasted on average: `GROUP BY client_type` of the guide.
pub(super) fn draw_clients(app: &App, body: Rect, buffer: &mut Buffer) {
    let list = list_area(body);
    let Some(history) = &app.data.sums.history else { return };
    let mut types = BTreeMap::<&str, (i64, i64, i64)>::new();
    for client in &history.clients {
        let (sessions, lasted, seconds) = types.entry(&client.client_type).or_default();
        *sessions += client.sessions - client.silent;
        *lasted += client.lasted;
        *seconds += client.lasted_s;
    }
    let mut parts = Vec::new();
    for (client, (sessions, lasted, seconds)) in types.into_iter().filter(|(_, (sessions, ..))| *sessions > 0) {
        let mean = u64::try_from(if lasted > 0 { seconds / lasted } else { 0 }).unwrap_or(0);
        let mean = if lasted > 0 { format!(" (ø {})", span(Duration::from_secs(mean))) } else { String::new() };
        parts.push(format!("{client} {}{mean}", count(sessions)));
    }
    let text = format!("Sessions with calls by client (ø how long they lasted): {}", parts.join(" · "));
    let lines = overlay::wrapped(&text, usize::from(body.width.saturating_sub(2)).max(1));
    for (y, line) in (list.bottom() + 1..body.bottom()).zip(&lines) {
        buffer.set_stringn(body.x + 1, y, line, body.width.into(), app.settings.theme.style(Tone::Plain));
    }
}
