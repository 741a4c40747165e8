//! Requests as they come, the newest first:
//!
//! ```text
//!  TIME      SESSION   CLIENT       TOOL           STATUS       MS  TOKENS  ERROR
//!  12:00:04  a1b2c3d4  Claude Code  find_projects  success   1.2ms     120
//! ```

use super::empty::LOADING;
use crate::dashboard::state::State;
use crate::dashboard::table::{Cell, Listing, Row, cells};
use crate::queries::columns::Listed;
use crate::queries::requests::Request;

/// The columns that say whose a request is.
const WHOSE: [&str; 3] = ["session", "client", "user"];

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(requests) = &state.data.streams.requests else { return Listing::of(Request::SCREEN, Vec::new(), LOADING) };
    let empty = "No requests yet. They appear here as soon as a client calls: archonctl call health_check";
    Listing::of(Request::SCREEN, requests.iter().map(|request| row(state, request)).collect(), empty)
}

/// The list of these requests of one session, the newest first: whose they are goes without saying.
pub(super) fn of_session<'a>(state: &State, requests: impl Iterator<Item = &'a Request>) -> Listing {
    let bare = |request: &Request| {
        let mut row = row(state, request);
        for (column, cell) in Request::SCREEN.iter().zip(&mut row.cells) {
            if WHOSE.contains(&column.head.key) {
                *cell = Cell::default();
            }
        }
        row
    };
    Listing::of(Request::SCREEN, requests.map(bare).collect(), "It has called nothing yet.")
}

fn row(state: &State, request: &Request) -> Row {
    let mut hidden = vec![("id", request.id.clone())];
    hidden.extend(request.session_id.clone().map(|id| ("session", id)));
    hidden.extend(request.protocol_session_id.clone().map(|id| ("session", id)));
    hidden.extend(request.method.clone().map(|method| ("method", method)));
    Row { key: request.id.clone(), cells: cells(Request::SCREEN, request, &state.now), hidden }
}
