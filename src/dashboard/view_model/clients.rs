//! Clients by type and version:
//!
//! ```text
//!  CLIENT       VERSION  SESSIONS  OPEN  CLOSED  TIMED OUT  SILENT  CALLS  ERR  LASTED  NOTE
//!  Claude Code  1.0.0          12     3       8          1       0    240    2   10m04s
//! ```

use super::empty::{LOADING, nothing_yet};
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::dashboard::warnings;
use crate::diagnosis::{Thresholds, of_client};
use crate::queries::clients::ClientUse;
use crate::queries::columns::{Cell, Listed, Noted};

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(clients) = &state.data.sums.clients else { return Listing::of(ClientUse::SCREEN, Vec::new(), LOADING) };
    Listing::of(ClientUse::SCREEN, clients.iter().map(row).collect(), nothing_yet(state))
}

fn row(client: &ClientUse) -> Row {
    let finding = of_client(client, &Thresholds::default().client);
    let note = finding.map_or_else(Cell::default, |finding| warnings::cell(&finding));
    Row {
        key: format!("{}\t{}", client.client_type, client.client_version),
        cells: cells(ClientUse::SCREEN, client, &Noted { note }),
        hidden: Vec::new(),
    }
}
