//! Columns of clients, by type and version.

use std::time::Duration;

use super::{Cell, Column, Listed, members};
use crate::model::timestamp::Timestamp;
use crate::queries::clients::ClientUse;

/// What an operator should know of a client.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// It, in a few words.
    pub note: Cell,
}

impl From<Timestamp> for Noted {
    fn from(_: Timestamp) -> Self {
        Self::default()
    }
}

impl Listed for ClientUse {
    type Context = Noted;

    const LIST: &'static str = "clients";

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("client", "CLIENT", (12, 24), 0, |c, _| Cell::text(&c.client_type)),
        Column::within("version", "VERSION", (5, 16), 3, |c, _| Cell::text(&c.client_version)),
        Column::figure("sessions", "SESSIONS", 0, |c, _| Cell::count(c.sessions)),
        Column::figure("open", "OPEN", 0, |c, _| Cell::count(c.open)),
        Column::figure("closed", "CLOSED", 2, |c, _| Cell::count(c.closed)),
        Column::figure("timed_out", "TIMED OUT", 2, |c, _| Cell::count(c.timed_out)),
        Column::figure("silent", "SILENT", 5, |c, _| Cell::count(c.silent)),
        Column::figure("calls", "CALLS", 1, |c, _| Cell::count(c.calls)),
        Column::figure("errors", "ERR", 1, |c, _| Cell::faults(c.errors)),
        Column::figure("lasted", "LASTED", 4, |c, _| {
            c.mean_s().map_or_else(Cell::default, |s| Cell::span(Duration::from_secs_f64(s)))
        }),
        Column::within("warning", "NOTE", (13, 20), 1, |_, noted: &Noted| noted.note.clone()),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}
