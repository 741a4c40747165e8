//! Sessions, which are clients' connections:
//!
//! ```text
//!  SESSION   CLIENT       USER   STATE   AGE   IDLE  LEFT  CALLS  ERR  P95    LAST TOOL     WARNING
//!  a1b2c3d4  Claude Code  alice  active  2h05m  3s   29d23h   42    1  12ms   find_projects
//! *550e8400  Cursor       bob    idle    3h01m  2h   29d22h    7    3  4.0ms  manage_project
//! ```

use super::empty::{LOADING, nothing_yet};
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, Row, cells};
use crate::dashboard::warnings;
use crate::diagnosis::{Rule, Snapshot, Thresholds, of_session};
use crate::queries::columns::{Beside, Cell, Listed};
use crate::queries::sessions::{Session, State as Stands};

/// The list.
pub(super) fn listing(state: &State) -> Listing {
    let Some(list) = &state.data.sessions else { return Listing::of(Session::SCREEN, Vec::new(), LOADING) };
    let snapshot = warnings::snapshot(state);
    let rows = list.rows.iter().map(|session| row(session, &beside(state, &snapshot, session))).collect();
    let ended = state.data.counts.is_some_and(|counts| counts.all() > 0);
    let empty = if ended && !state.view.all {
        "No live session now. Press a to see those that have ended.".to_owned()
    } else {
        nothing_yet(state)
    };
    Listing::of(Session::SCREEN, rows, empty)
}

/// What is known of a session besides itself.
fn beside(state: &State, snapshot: &Snapshot<'_>, session: &Session) -> Beside {
    let findings = of_session(snapshot, session, &Thresholds::default());
    Beside {
        now: state.now,
        latest: state.data.latest.get(&session.session_id).cloned(),
        warning: findings.first().map_or_else(Cell::default, warnings::cell),
        near_end: findings.iter().any(|finding| finding.rule == Rule::NearEnd),
    }
}

fn row(session: &Session, beside: &Beside) -> Row {
    let mut hidden = vec![("id", session.session_id.clone())];
    hidden.extend(session.protocol_session_id.clone().map(|id| ("id", id)));
    hidden.extend(session.client_name.clone().map(|name| ("client", name)));
    hidden.extend(session.user_email.clone().map(|email| ("user", email)));
    hidden.extend(session.disconnect_reason.as_ref().map(|reason| ("reason", reason.to_string())));
    let stands = if session.state == Stands::Ended { session.state.as_str() } else { "live" };
    hidden.push(("state", stands.to_owned()));
    Row { key: session.id().to_owned(), cells: cells(Session::SCREEN, session, beside), hidden }
}
