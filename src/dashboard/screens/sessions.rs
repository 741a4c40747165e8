//! Sessions, which are clients' connections:
//!
//! ```text
//!  SESSION   CLIENT       USER   STATE   AGE   IDLE  LEFT  CALLS  ERR  P95    LAST TOOL     WARNING
//!  a1b2c3d4  Claude Code  alice  active  2h05m  3s   29d23h   42    1  12ms   find_projects
//! *550e8400  Cursor       bob    idle    3h01m  2h   29d22h    7    3  4.0ms  manage_project
//! ```

use std::time::Duration;

use super::{LOADING, nothing_yet};
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::theme::Tone;
use crate::dashboard::warnings;
use crate::queries::sessions::{Session, State};

const COLUMNS: &[Column] = &[
    text("id", "SESSION", (8, 8), 0),
    text("client", "CLIENT", (8, 24), 0),
    text("version", "VERSION", (5, 12), 5),
    text("era", "ERA", (6, 6), 8),
    text("revision", "REVISION", (10, 10), 7),
    text("user", "USER", (8, 16), 4),
    text("state", "STATE", (7, 12), 0),
    figure("age", "AGE", 4),
    figure("idle", "IDLE", 1),
    figure("left", "LEFT", 2),
    figure("calls", "CALLS", 1),
    figure("errors", "ERR", 1),
    figure("p95", "P95", 3),
    figure("tokens", "TOKENS", 6),
    text("tool", "LAST TOOL", (14, 24), 3),
    text("warning", "WARNING", (20, 60), 1),
];

/// The first revision of the modern era.
const MODERN: &str = "2026-07-28";

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(list) = &app.data.sessions else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    let rows = list.rows.iter().map(|session| row(app, session)).collect();
    let ended = app.data.counts.is_some_and(|counts| counts.all() > 0);
    let empty = if ended && !app.view.all {
        "No live session now. Press a to see those that have ended.".to_owned()
    } else {
        nothing_yet(app)
    };
    Listing { columns: COLUMNS, rows, empty }
}

/// Where it stands, in a word, and how that looks.
pub(in crate::dashboard) fn state(session: &Session) -> (&'static str, Tone) {
    match session.state {
        State::Active => (session.state.as_str(), Tone::Good),
        State::Idle => (session.state.as_str(), Tone::Plain),
        State::Ended => (session.status.as_str(), Tone::Dim),
    }
}

/// `legacy` or `modern`.
pub(super) fn era(revision: &str) -> &'static str {
    if revision >= MODERN { "modern" } else { "legacy" }
}

fn row(app: &App, session: &Session) -> Row {
    let latest = app.data.latest.get(&session.session_id);
    let revision = session.protocol_version.as_deref().unwrap_or_default();
    let (state, tone) = state(session);
    let live = session.state != State::Ended;
    let left = session.expires_at.filter(|_| live).map(|end| end.since(app.now));
    let near = left.is_some_and(|left| left < Duration::from_mins(5));
    let errors = Cell::count(session.errors).toned(if session.errors > 0 { Tone::Warn } else { Tone::Dim });
    let warnings = warnings::of_session(app, session);
    let warning =
        warnings.first().map_or_else(Cell::default, |warning| Cell::text(&warning.text).toned(warnings::tone(warning)));
    let era = if revision.is_empty() { "" } else { era(revision) };
    let idle = if live { Cell::span(app.now.since(session.last_activity)) } else { Cell::default() };
    let mut hidden = vec![("id", session.session_id.clone())];
    hidden.extend(session.protocol_session_id.clone().map(|id| ("id", id)));
    hidden.extend(session.client_name.clone().map(|name| ("client", name)));
    hidden.extend(session.user_email.clone().map(|email| ("user", email)));
    hidden.extend(session.disconnect_reason.as_ref().map(|reason| ("reason", reason.to_string())));
    hidden.push(("state", if live { "live" } else { session.state.as_str() }.to_owned()));
    Row {
        key: session.id().to_owned(),
        cells: vec![
            Cell::text(session.id().get(..8).unwrap_or_default()),
            Cell::text(&session.client_type),
            Cell::text(session.client_version.as_deref().unwrap_or_default()),
            Cell::text(era),
            Cell::text(revision),
            Cell::text(session.user_name.as_deref().unwrap_or_default()),
            Cell::text(state).toned(tone),
            Cell::span(Duration::from_secs(session.duration_s).max(if live {
                app.now.since(session.connected_at)
            } else {
                Duration::ZERO
            })),
            idle,
            left.map_or_else(Cell::default, Cell::span).toned(if near { Tone::Warn } else { Tone::Plain }),
            Cell::count(session.calls),
            errors,
            Cell::millis(latest.and_then(|latest| latest.p95_ms)),
            Cell::count(session.prompt_tokens + session.completion_tokens),
            Cell::text(latest.and_then(|latest| latest.last_tool.as_deref()).unwrap_or_default()),
            warning,
        ],
        hidden,
    }
}
