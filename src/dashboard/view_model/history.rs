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

use ratatui::layout::Rect;

use super::empty::LOADING;
use crate::dashboard::data::History;
use crate::dashboard::question::Step;
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::dashboard::text::{bar, count, span, wrapped};
use crate::dashboard::theme::{Line, Tone};
use crate::model::timestamp::Timestamp;
use crate::queries::columns::{Cell, Column, Listed};
use crate::queries::usage::Usage;

/// The columns of the screen that a bar takes at most: none is cut, or all would look alike.
const BAR: usize = 10;
/// Below this number of lines there is no room for the clients.
const ROOM_FOR_CLIENTS: u16 = 12;

/// An hour or a day.
#[derive(Default)]
struct Period {
    /// When, as it is shown.
    shown: String,
    sessions: i64,
    usage: Usage,
    /// How many calls there were against the others, drawn.
    bar: String,
}

impl Listed for Period {
    type Context = Timestamp;

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("time", "TIME", (16, 16), 0, |p, _| Cell::text(&p.shown)),
        Column::figure("sessions", "SESSIONS", 1, |p, _| Cell::count(p.sessions)),
        Column::figure("calls", "CALLS", 0, |p, _| Cell::count(p.usage.calls)),
        Column::figure("success", "OK", 2, |p, _| Cell::share(p.usage.calls - p.usage.errors, p.usage.calls)),
        Column::figure("errors", "ERR", 1, |p, _| Cell::faults(p.usage.errors)),
        Column::figure("mean", "MEAN", 4, |p, _| Cell::millis(p.usage.mean_ms)),
        Column::figure("p95", "P95", 3, |p, _| Cell::millis(p.usage.p95_ms)),
        Column::figure("tokens", "TOKENS", 5, |p, _| Cell::count(p.usage.tokens())),
        Column::within("trend", "", (BAR, BAR), 6, |p, _| Cell::text(&p.bar).toned(Tone::Good)),
    ];
}

/// What stands above its columns.
pub(super) fn columns() -> &'static [Column<impl Listed>] {
    Period::SCREEN
}

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(history) = &state.data.sums.history else { return Listing::of(Period::SCREEN, Vec::new(), LOADING) };
    let row = |(time, period): (String, Period)| Row {
        cells: cells(Period::SCREEN, &period, &state.now),
        key: time,
        hidden: Vec::new(),
    };
    let rows = periods(history).into_iter().rev().map(row).collect();
    Listing::of(Period::SCREEN, rows, "No session and no call in that time.")
}

#[expect(clippy::cast_precision_loss, reason = "lengths of a bar")]
fn periods(history: &History) -> BTreeMap<String, Period> {
    let mut periods = BTreeMap::<String, Period>::new();
    for (hour, sessions) in &history.begun {
        let begin = if history.step == Step::Day { hour.day() } else { *hour };
        periods.entry(begin.to_string()).or_default().sessions += sessions;
    }
    for usage in &history.usage.groups {
        periods.entry(usage.name.clone()).or_default().usage = usage.clone();
    }
    let most = periods.values().map(|period| period.usage.calls).max().unwrap_or(0);
    let length = if history.step == Step::Day { "2026-01-10".len() } else { "2026-01-10 12:00".len() };
    for (time, period) in &mut periods {
        let begin = Timestamp::parse_sql(time).map(Timestamp::sql_text).unwrap_or_default();
        period.shown = begin.chars().take(length).collect();
        period.bar = bar(period.usage.calls as f64, most as f64, BAR);
    }
    periods
}

/// The clients need a third of the screen at most.
pub(super) fn list_area(body: Rect) -> Rect {
    let below = if body.height < ROOM_FOR_CLIENTS { 0 } else { (body.height / 3).min(5) };
    Rect { height: body.height - below, ..body }
}

/// Archon sessions of each client and how long they lasted on average: `GROUP BY client_type` of the guide. An empty line
/// stands above.
pub(super) fn clients(state: &State, room: u16) -> Vec<Line> {
    let Some(history) = &state.data.sums.history else { return Vec::new() };
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
    let lines = wrapped(&text, usize::from(room.saturating_sub(2)).max(1));
    std::iter::once(Line::new()).chain(lines.into_iter().map(|line| vec![(line, Tone::Plain)])).collect()
}
