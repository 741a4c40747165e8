//! Boots, the newest first:
//!
//! ```text
//!  BOOT  STARTED              RAN     STATE    RECOVERED  DOWN BEFORE  CLEANUP  VERSION  PID
//!    12  2026-01-10 12:00:00  3h02m   running         40          12s   2m ago  0.1.0    4242
//! ```

use super::empty::LOADING;
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::queries::boots::Boot;
use crate::queries::columns::Listed;

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(boots) = &state.data.sums.boots else { return Listing::of(Boot::SCREEN, Vec::new(), LOADING) };
    let original = state.data.pulse.as_ref().is_some_and(|pulse| pulse.original);
    let empty = if original {
        "An original Archon's database keeps no record of its boots.".to_owned()
    } else {
        format!("No server has run on this database yet: {}", state.settings.serve_hint)
    };
    let row = |boot: &Boot| Row {
        key: boot.number.to_string(),
        cells: cells(Boot::SCREEN, boot, &state.now),
        hidden: Vec::new(),
    };
    Listing::of(Boot::SCREEN, boots.iter().map(row).collect(), empty)
}
