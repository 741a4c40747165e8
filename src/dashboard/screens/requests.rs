//! Requests as they come, the newest first:
//!
//! ```text
//!  TIME      SESSION   CLIENT       TOOL           STATUS       MS  TOKENS  ERROR
//!  12:00:04  a1b2c3d4  Claude Code  find_projects  success   1.2ms     120
//! ```

use std::collections::VecDeque;

use super::LOADING;
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::text::clock;
use crate::dashboard::theme::Tone;
use crate::model::request::RequestStatus;
use crate::model::word::Word;
use crate::queries::requests::Request;

const COLUMNS: &[Column] = &[
    text("time", "TIME", (8, 8), 0),
    text("session", "SESSION", (8, 8), 3),
    text("client", "CLIENT", (6, 20), 4),
    text("user", "USER", (4, 16), 6),
    text("tool", "TOOL", (14, 24), 0),
    text("state", "STATUS", (7, 7), 1),
    figure("ms", "TOOK", 2),
    figure("tokens", "TOKENS", 5),
    figure("cost", "USD", 7),
    text("error", "ERROR", (20, 200), 2),
];

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let none = VecDeque::new();
    let rows = app.data.streams.requests.as_ref().unwrap_or(&none).iter().map(row).collect();
    let empty = if app.data.streams.requests.is_none() {
        LOADING.to_owned()
    } else {
        "No request yet. They stand here as soon as a client calls: archonctl call health_check".to_owned()
    };
    Listing { columns: COLUMNS, rows, empty }
}

/// The columns that say whose a request is.
const WHOSE: std::ops::Range<usize> = 1..4;

/// The list of these requests of one session, the newest first: whose they are goes without saying.
pub(super) fn of<'a>(requests: impl Iterator<Item = &'a Request>) -> Listing {
    let bare = |request: &Request| {
        let mut row = row(request);
        row.cells[WHOSE].fill(Cell::default());
        row
    };
    Listing { columns: COLUMNS, rows: requests.map(bare).collect(), empty: "It has called nothing yet.".to_owned() }
}

/// How a status looks.
pub(super) fn tone(status: Option<&Word<RequestStatus>>) -> Tone {
    if status.is_some_and(|status| status.is(RequestStatus::Success)) { Tone::Good } else { Tone::Bad }
}

fn row(request: &Request) -> Row {
    let status = request.status.as_ref();
    let tokens = request.prompt_tokens.unwrap_or(0) + request.completion_tokens.unwrap_or(0);
    let session = request.protocol_session_id.as_deref().or(request.session_id.as_deref()).unwrap_or_default();
    let name = request.tool_name.as_deref().or(request.method.as_deref()).unwrap_or_default();
    let error = if request.late && request.error_message.is_none() {
        "late: its session had ended".to_owned()
    } else {
        request.error_message.clone().unwrap_or_default()
    };
    let mut hidden = vec![("id", request.id.clone())];
    hidden.extend(request.session_id.clone().map(|id| ("session", id)));
    hidden.extend(request.protocol_session_id.clone().map(|id| ("session", id)));
    hidden.extend(request.method.clone().map(|method| ("method", method)));
    Row {
        key: request.id.clone(),
        cells: vec![
            Cell::text(request.timestamp.map(clock).unwrap_or_default()),
            Cell::text(session.get(..8).unwrap_or(session)),
            Cell::text(request.client_type.as_deref().unwrap_or_default()),
            Cell::text(request.user_name.as_deref().unwrap_or_default()),
            Cell::text(name).toned(if request.tool_name.is_some() { Tone::Plain } else { Tone::Dim }),
            Cell::text(status.map(Word::as_str).unwrap_or_default()).toned(tone(status)),
            Cell::millis(request.duration_ms),
            if tokens > 0 { Cell::count(tokens) } else { Cell::default() },
            request.estimated_cost_usd.map_or_else(Cell::default, |usd| Cell::number(usd, format!("{usd:.6}"))),
            Cell::text(error).toned(Tone::Warn),
        ],
        hidden,
    }
}
