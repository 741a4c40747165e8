//! Events in the lives of sessions as they come, the newest first:
//!
//! ```text
//!  TIME      EVENT      SESSION   BY      REASON
//!  12:00:04  ended      a1b2c3d4  server  timeout
//! ```

use std::collections::VecDeque;

use super::LOADING;
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, text};
use crate::dashboard::text::clock;
use crate::dashboard::theme::Tone;
use crate::model::event::EventKind;
use crate::model::word::Word;
use crate::queries::events::Event;

const COLUMNS: &[Column] = &[
    text("time", "TIME", (8, 8), 0),
    text("event", "EVENT", (8, 20), 0),
    text("id", "SESSION", (8, 8), 0),
    text("archon", "ARCHON", (8, 8), 4),
    text("by", "BY", (4, 30), 2),
    text("reason", "REASON", (8, 200), 1),
];

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let none = VecDeque::new();
    let rows = app.data.streams.events.as_ref().unwrap_or(&none).iter().map(row).collect();
    let empty = if app.data.streams.events.is_none() {
        LOADING.to_owned()
    } else {
        "No event yet. What begins, ends, goes on after a restart or is refused stands here.".to_owned()
    };
    Listing { columns: COLUMNS, rows, empty }
}

/// How an event looks.
pub(super) fn tone(kind: &Word<EventKind>) -> Tone {
    match kind.ours() {
        Some(EventKind::Created | EventKind::Initialised) => Tone::Good,
        Some(EventKind::Refused) => Tone::Bad,
        Some(EventKind::Ended | EventKind::Expire | EventKind::Reinitialised) => Tone::Warn,
        Some(EventKind::Recovered) | None => Tone::Plain,
    }
}

fn row(event: &Event) -> Row {
    let short = |id: &Option<String>| id.as_deref().map(|id| id.get(..8).unwrap_or(id).to_owned()).unwrap_or_default();
    let mut hidden = Vec::new();
    hidden.extend(event.session_id.clone().map(|id| ("id", id)));
    hidden.extend(event.protocol_session_id.clone().map(|id| ("id", id)));
    Row {
        key: event.id.to_string(),
        cells: vec![
            Cell::text(clock(event.at)),
            Cell::text(event.kind.as_str()).toned(tone(&event.kind)),
            Cell::text(short(if event.protocol_session_id.is_some() {
                &event.protocol_session_id
            } else {
                &event.session_id
            })),
            Cell::text(short(&event.session_id)),
            Cell::text(event.actor.as_ref().map(Word::as_str).unwrap_or_default()),
            Cell::text(event.reason.as_deref().unwrap_or_default()),
        ],
        hidden,
    }
}
