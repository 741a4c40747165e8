//! Columns of events in the lives of sessions.

use super::{Cell, Column, Listed, Tone, Value, members};
use crate::model::event::EventKind;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::events::Event;

impl Listed for Event {
    type Context = Timestamp;

    const LIST: &'static str = "events";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("time", "TIME", 19, 0, |e, _| Value::When(e.at).into()),
        Column::text("event", "EVENT", 8, 0, |e, _| Cell::text(&e.kind)),
        Column::text("id", "SESSION", 9, 0, |e, _| Cell::maybe_id(e.session())),
        Column::text("reason", "REASON", 8, 1, |e, _| Cell::maybe(e.reason.as_deref())),
        Column::text("by", "BY", 6, 2, |e, _| e.actor_cell()),
        Column::text("archon", "ARCHON SESSION", 9, 3, |e, _| Cell::maybe_id(e.session_id.as_deref())),
    ];

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("time", "TIME", (8, 8), 0, |e, _| Value::Time(e.at).into()),
        Column::within("event", "EVENT", (8, 20), 0, |e, _| Cell::text(&e.kind).toned(e.tone())),
        Column::within("id", "SESSION", (8, 8), 0, |e, _| Cell::maybe_id(e.session())),
        Column::within("archon", "ARCHON", (8, 8), 4, |e, _| Cell::maybe_id(e.session_id.as_deref())),
        Column::within("by", "BY", (4, 30), 2, |e, _| e.actor_cell()),
        Column::within("reason", "REASON", (8, 200), 1, |e, _| Cell::maybe(e.reason.as_deref())),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Event {
    /// Whose it is: the connection's id, or the Archon session's.
    pub fn session(&self) -> Option<&str> {
        self.protocol_session_id.as_deref().or(self.session_id.as_deref())
    }

    /// How it is meant.
    pub fn tone(&self) -> Tone {
        match self.kind.ours() {
            Some(EventKind::Created | EventKind::Initialised) => Tone::Good,
            Some(EventKind::Refused) => Tone::Bad,
            Some(EventKind::Ended | EventKind::Expire | EventKind::Reinitialised) => Tone::Warn,
            Some(EventKind::Recovered) | None => Tone::Plain,
        }
    }

    fn actor_cell(&self) -> Cell {
        Cell::maybe(self.actor.as_ref().map(Word::as_str))
    }
}
