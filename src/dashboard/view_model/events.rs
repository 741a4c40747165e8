//! Events in the lives of sessions as they come, the newest first:
//!
//! ```text
//!  TIME      EVENT      SESSION   BY      REASON
//!  12:00:04  ended      a1b2c3d4  server  timeout
//! ```

use super::empty::LOADING;
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::queries::columns::Listed;
use crate::queries::events::Event;

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(events) = &state.data.streams.events else { return Listing::of(Event::SCREEN, Vec::new(), LOADING) };
    let empty = "No events yet. Sessions that begin, end, survive a restart or are refused appear here.";
    Listing::of(Event::SCREEN, events.iter().map(|event| row(state, event)).collect(), empty)
}

fn row(state: &State, event: &Event) -> Row {
    let ids = event.session_id.iter().chain(&event.protocol_session_id);
    Row {
        key: event.id.to_string(),
        cells: cells(Event::SCREEN, event, &state.now),
        hidden: ids.map(|id| ("id", id.clone())).collect(),
    }
}
