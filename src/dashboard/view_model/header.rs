//! The header, always there:
//!
//! ```text
//! ● server up 3h02m (boot 12, 3 today)  sqlite 0.4ms                              12:00:05Z  every 2s
//! 12 active  3 idle  47 ended   12.4 calls/s  0.8% errors  p95 12ms
//! calls ▁▂▃▅▇  errors   ▁   p95 ▂▂▃▂▂  30 minutes
//! ⚠ a1b2c3d4 Cursor: manage_project failed 3× in a row (w: go there; 2 more)
//! ```

use std::time::Duration;

use crate::dashboard::data::MINUTES;
use crate::dashboard::state::State;
use crate::dashboard::text::{clean, clock, count, curve, cut, millis, percent, span, width};
use crate::dashboard::theme::{Line, Tone};
use crate::dashboard::warnings;
use crate::diagnosis::Finding;
use crate::model::timestamp::Timestamp;
use crate::queries::minutes::{self, Minute};

/// From this number of columns on, words stand in full.
const WIDE: u16 = 76;
/// And those of the line of sessions.
const WIDER: u16 = 92;

/// Its lines.
#[derive(Debug, Clone, Default)]
pub(in crate::dashboard) struct Header {
    /// Server and database.
    pub(in crate::dashboard) server: Line,
    /// The clock and how often it refreshes, at the right.
    pub(in crate::dashboard) clock: (String, Tone),
    /// How many sessions there are, and how they call.
    pub(in crate::dashboard) sessions: Line,
    /// The last half hour.
    pub(in crate::dashboard) curves: Line,
    /// What is most urgent.
    pub(in crate::dashboard) warning: Line,
}

/// The header, for a terminal `room` columns wide.
pub(super) fn header(state: &State, findings: &[Finding], room: u16) -> Header {
    let wide = room >= WIDE;
    let mut first = server(state, wide);
    let took = state.link.took.map(|took| format!(" {}", millis(took.as_secs_f64() * 1000.0))).unwrap_or_default();
    first.push((format!("  {}{took}", state.settings.database), Tone::Plain));
    let tone = if state.link.error.is_some() { Tone::Bad } else { Tone::Dim };
    Header {
        server: first,
        clock: (refreshing(state, wide), tone),
        sessions: sessions(state, room >= WIDER),
        curves: curves(state, room.into()),
        warning: warning(state, findings, room.into()),
    }
}

fn warning(state: &State, findings: &[Finding], room: usize) -> Line {
    let (text, tone, more) = urgent(state, findings);
    let more = if width(&text) + width(&more) <= room { more } else { String::new() };
    vec![(cut(&text, room), tone), (more, Tone::Dim)]
}

/// The clock and how often it refreshes.
fn refreshing(state: &State, wide: bool) -> String {
    let clock = clock(state.now);
    match (state.link.error.is_some(), state.settings.paused, wide) {
        (true, _, _) => format!("{clock}Z  NO DATABASE"),
        (_, true, _) => format!("{clock}Z  PAUSED"),
        (_, _, true) => {
            let only = if state.settings.read_only { "read only  " } else { "" };
            format!("{only}{clock}Z  every {}", state.settings.interval_text())
        }
        _ => format!("{clock}Z"),
    }
}

fn server(state: &State, wide: bool) -> Line {
    let Some(pulse) = &state.data.pulse else { return vec![("… reading".to_owned(), Tone::Dim)] };
    if pulse.original {
        return vec![("an original Archon's database, read only".to_owned(), Tone::Plain)];
    }
    let up: Vec<_> = pulse.boots.iter().filter(|boot| boot.is_up(state.now)).collect();
    let Some(boot) = up.first() else {
        let last = pulse.boots.first().map(|boot| boot.ended_at.unwrap_or(boot.heartbeat_at));
        let since = last.map_or_else(String::new, |at| format!(" {}", span(state.now.since(at))));
        return vec![(format!("○ server down{since}"), Tone::Bad)];
    };
    let time = span(state.now.since(boot.started_at));
    let servers = if up.len() > 1 { format!("{} servers", up.len()) } else { "server".to_owned() };
    let boots = format!(" (boot {}, {} today)", boot.number, pulse.boots_today);
    if wide {
        vec![("● ".to_owned(), Tone::Good), (format!("{servers} up {time}"), Tone::Strong), (boots, Tone::Plain)]
    } else {
        vec![("● ".to_owned(), Tone::Good), (format!("up {time}"), Tone::Strong)]
    }
}

fn sessions(state: &State, wide: bool) -> Line {
    let mut pieces = Vec::new();
    let figure = |pieces: &mut Line, n: String, word: &str, tone| {
        pieces.extend([(n, tone), (format!(" {word}"), Tone::Plain)]);
    };
    if let Some(counts) = state.data.counts {
        figure(&mut pieces, count(counts.active), if wide { "active" } else { "act" }, Tone::Strong);
        if wide {
            figure(&mut pieces, format!("  {}", count(counts.idle)), "idle", Tone::Strong);
            figure(&mut pieces, format!("  {}", count(counts.ended)), "ended", Tone::Strong);
        } else {
            pieces.push((format!(" {} idle {} end", count(counts.idle), count(counts.ended)), Tone::Plain));
        }
        pieces.push((if wide { "  │  " } else { "  " }.to_owned(), Tone::Dim));
    }
    let Some(pulse) = &state.data.pulse else { return pieces };
    figure(
        &mut pieces,
        format!("{:.1}", rate(&pulse.minutes, state.now)),
        if wide { "calls/s" } else { "/s" },
        Tone::Strong,
    );
    let (calls, errors) = minutes::last(&pulse.minutes, state.now, 5);
    let tone = if errors > 0 { Tone::Warn } else { Tone::Strong };
    if calls > 0 {
        figure(&mut pieces, format!("  {}", percent(errors, calls)), if wide { "errors" } else { "err" }, tone);
    }
    if let Some(p95) = pulse.minutes.iter().rev().find_map(|minute| minute.p95_ms).filter(|_| calls > 0) {
        pieces.push(("  p95 ".to_owned(), Tone::Plain));
        pieces.push((millis(p95), Tone::Strong));
    }
    pieces
}

/// Calls in a second over the last sixty: this minute, and of the one before the part that is not a minute ago yet.
#[expect(clippy::cast_precision_loss, reason = "a rate, shown with three digits")]
fn rate(minutes: &[Minute], now: Timestamp) -> f64 {
    let calls =
        |at: Timestamp| minutes.iter().find(|minute| minute.minute == at).map_or(0, |minute| minute.calls) as f64;
    let (this, before) = (now.minute(), now.minus(Duration::from_mins(1)).minute());
    let part = now.since(this).as_secs_f64() / 60.0;
    (calls(this) + calls(before) * (1.0 - part)) / 60.0
}

/// The last half hour, a column a minute.
#[expect(clippy::cast_precision_loss, reason = "heights of a curve")]
fn curves(state: &State, room: usize) -> Line {
    let Some(pulse) = &state.data.pulse else { return Vec::new() };
    let shown = (room.saturating_sub(30) / 3).clamp(4, MINUTES);
    let of = |value: fn(&Minute) -> f64| {
        let values: Vec<_> = (0..shown)
            .rev()
            .map(|ago| {
                let at = state.now.minus(Duration::from_secs(60 * ago as u64)).minute();
                pulse.minutes.iter().find(|minute| minute.minute == at).map_or(0.0, value)
            })
            .collect();
        curve(&values)
    };
    vec![
        ("calls ".to_owned(), Tone::Dim),
        (of(|minute| minute.calls as f64), Tone::Good),
        (" errors ".to_owned(), Tone::Dim),
        (of(|minute| minute.errors as f64), Tone::Bad),
        (" p95 ".to_owned(), Tone::Dim),
        (of(|minute| minute.p95_ms.unwrap_or(0.0)), Tone::Warn),
        (format!(" {shown} min"), Tone::Dim),
    ]
}

/// What is most urgent, how it looks, and where it leads.
fn urgent(state: &State, findings: &[Finding]) -> (String, Tone, String) {
    if let Some(error) = &state.link.error {
        return (lost(state, error), Tone::Bad, String::new());
    }
    let Some(warning) = findings.first() else {
        let text = if state.data.pulse.is_some() { "✓ all is well" } else { "" };
        return (text.to_owned(), Tone::Dim, String::new());
    };
    let more = match (warnings::target(warning), findings.len() - 1) {
        (None, _) => String::new(),
        (Some(_), 0) => " (w: go there)".to_owned(),
        (Some(_), others) => format!(" (w: go there; {others} more)"),
    };
    (format!("⚠ {}", warnings::line(warning)), warnings::tone(warning), more)
}

/// The database does not answer: why, and how old the data is.
fn lost(state: &State, error: &str) -> String {
    let error = clean(error);
    match state.link.answered_at {
        Some(at) => format!("⚠ data of {}Z; the database does not answer: {error}", clock(at)),
        None => format!("⚠ {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_sixty_seconds() {
        let minute =
            |n: i64, calls| Minute { minute: Timestamp::from_millis(n * 60_000), calls, errors: 0, p95_ms: None };
        let now = Timestamp::from_millis(10 * 60_000 + 15_000);
        let calls = rate(&[minute(9, 40), minute(10, 30)], now);
        assert!((calls - 1.0).abs() < 1e-9, "{calls}");
    }
}
