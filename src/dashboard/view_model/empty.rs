//! What an empty list says.

use crate::dashboard::state::State;

/// While its first answer is on its way.
pub(super) const LOADING: &str = "Reading…";
/// And while there is no database that could answer.
pub(super) const NO_ANSWER: &str = "Cannot reach the database yet; trying again until it answers.";

/// What to do where there is nothing at all.
pub(super) fn nothing_yet(state: &State) -> String {
    format!(
        "No sessions yet. Start a server: {}\nThen connect a client to it: archonctl call health_check, \
         or: claude mcp add --transport http archon http://127.0.0.1:8051/mcp",
        state.settings.serve_hint
    )
}
