//! Clients by type and version:
//!
//! ```text
//!  CLIENT       VERSION  SESSIONS  OPEN  CLOSED  TIMED OUT  SILENT  CALLS  ERR  LASTED  NOTE
//!  Claude Code  1.0.0          12     3       8          1       0    240    2   10m04s
//! ```

use std::time::Duration;

use super::{LOADING, nothing_yet};
use crate::dashboard::app::App;
use crate::dashboard::table::{Cell, Column, Listing, Row, figure, text};
use crate::dashboard::theme::Tone;
use crate::dashboard::warnings;
use crate::diagnosis::{Thresholds, of_client};
use crate::queries::clients::ClientUse;

const COLUMNS: &[Column] = &[
    text("client", "CLIENT", (12, 24), 0),
    text("version", "VERSION", (5, 16), 3),
    figure("sessions", "SESSIONS", 0),
    figure("open", "OPEN", 0),
    figure("closed", "CLOSED", 2),
    figure("timed_out", "TIMED OUT", 2),
    figure("silent", "SILENT", 5),
    figure("calls", "CALLS", 1),
    figure("errors", "ERR", 1),
    figure("lasted", "LASTED", 4),
    text("warning", "NOTE", (13, 20), 1),
];

/// The list.
pub(super) fn listing(app: &App) -> Listing {
    let Some(clients) = &app.data.sums.clients else {
        return Listing { columns: COLUMNS, rows: Vec::new(), empty: LOADING.to_owned() };
    };
    Listing { columns: COLUMNS, rows: clients.iter().map(row).collect(), empty: nothing_yet(app) }
}

fn row(client: &ClientUse) -> Row {
    let note = of_client(client, &Thresholds::default().client)
        .map_or_else(Cell::default, |finding| Cell::text(&finding.text).toned(warnings::tone(&finding)));
    let errors = Cell::count(client.errors).toned(if client.errors > 0 { Tone::Warn } else { Tone::Dim });
    Row {
        key: format!("{}\t{}", client.client_type, client.client_version),
        cells: vec![
            Cell::text(&client.client_type),
            Cell::text(&client.client_version),
            Cell::count(client.sessions),
            Cell::count(client.open),
            Cell::count(client.closed),
            Cell::count(client.timed_out),
            Cell::count(client.silent),
            Cell::count(client.calls),
            errors,
            client.mean_s().map_or_else(Cell::default, |s| Cell::span(Duration::from_secs_f64(s))),
            note,
        ],
        hidden: Vec::new(),
    }
}
