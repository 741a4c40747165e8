//! Columns of what belongs to a session: the Archon sessions of a connection, the connections of an Archon session.

use std::time::Duration;

use super::sessions::status_cell;
use super::{Cell, Column, Listed, members};
use crate::model::event::Actor;
use crate::model::session::{EndReason, SessionRule};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::story::{ArchonSession, ProtocolSession};

impl Listed for ArchonSession {
    type Context = Timestamp;

    const LIST: &'static str = "archon_sessions";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("id", "ID", 9, 0, |s, _| Cell::id(&s.session_id)),
        Column::text("status", "STATUS", 6, 0, |s, _| status_cell(s.status)),
        Column::text("started", "STARTED", 0, 4, |s, now| Cell::ago(s.connected_at, *now)),
        Column::text("used", "LAST USED", 0, 1, |s, now| Cell::ago(s.last_activity, *now)),
        Column::figure("lasted", "LASTED", 3, |s, _| Cell::span(Duration::from_secs(s.duration_s))),
        Column::figure("calls", "CALLS", 2, |s, _| Cell::count(s.calls)),
        Column::figure("errors", "ERRORS", 5, |s, _| Cell::faults(s.errors)),
        Column::text("ended", "ENDED", 8, 3, |s, _| ended(s.disconnect_reason.as_ref(), s.ended_by.as_ref())),
        Column::text("opened_by", "OPENED BY", 9, 6, |s, _| Cell::maybe_id(s.shared_from.as_deref())),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Listed for ProtocolSession {
    type Context = Timestamp;

    const LIST: &'static str = "protocol_sessions";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("id", "ID", 9, 0, |s, _| Cell::id(&s.protocol_session_id)),
        Column::text("status", "STATUS", 6, 0, |s, _| status_cell(s.status)),
        Column::text("bound_by", "BOUND BY", 0, 2, |s, _| Cell::maybe(s.bound_by.as_ref().map(bound))),
        Column::text("revision", "REVISION", 0, 5, |s, _| Cell::text(&s.protocol_version)),
        Column::text("started", "STARTED", 0, 4, |s, now| Cell::ago(s.connected_at, *now)),
        Column::text("used", "LAST USED", 0, 1, |s, now| Cell::ago(s.last_activity, *now)),
        Column::text("ended", "ENDED", 8, 3, |s, _| ended(s.disconnect_reason.as_ref(), s.ended_by.as_ref())),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

/// `timeout by server`.
fn ended(reason: Option<&Word<EndReason>>, by: Option<&Word<Actor>>) -> Cell {
    Cell::maybe(reason.map(|reason| by.map_or_else(|| reason.to_string(), |by| format!("{reason} by {by}"))))
}

/// What bound a connection to its Archon session.
fn bound(rule: &Word<SessionRule>) -> &str {
    match rule {
        Word::Ours(SessionRule::New) => "opening it",
        Word::Ours(SessionRule::Client) => "its client's header",
        Word::Ours(SessionRule::Bound) => "its client's connection",
        Word::Other(rule) => rule,
    }
}
