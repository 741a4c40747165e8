//! What rules find in what is held, how it looks on the screens, and where it leads.

use super::state::State;
use super::text::clean;
use super::theme::Tone;
use crate::diagnosis::{Finding, Rule, Severity, Snapshot, Subject};
use crate::queries::columns::Cell;

/// Where a finding leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// To a session.
    Session(String),
    /// To the requests that failed.
    Failures,
    /// To the sessions of a client.
    Client(String),
    /// To the boots.
    Boots,
}

/// Where a finding leads; one about the database leads nowhere.
pub(super) fn target(finding: &Finding) -> Option<Target> {
    match &finding.subject {
        Subject::Server => Some(Target::Boots),
        Subject::Database => None,
        Subject::Calls => Some(Target::Failures),
        Subject::Session { id, .. } => Some(Target::Session(id.clone())),
        Subject::Client(client) => Some(Target::Client(client.clone())),
    }
}

/// How it looks.
pub(super) fn tone(finding: &Finding) -> Tone {
    match finding.severity() {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warn,
        Severity::Note => Tone::Dim,
    }
}

/// It in one line. Without a server nothing goes on: so what to do stands with it.
pub(super) fn line(finding: &Finding) -> String {
    let is_alone = finding.rule == Rule::NoServer;
    let next_step = if is_alone { format!("; {}", finding.next_step) } else { String::new() };
    // It may name a client.
    clean(&(finding.line() + &next_step))
}

/// It in a list of what it is about.
pub(super) fn cell(finding: &Finding) -> Cell {
    Cell::text(&finding.text).toned(tone(finding))
}

/// What is held, as rules look at it.
pub(super) fn snapshot(state: &State) -> Snapshot<'_> {
    let (data, pulse) = (&state.data, state.data.pulse.as_ref());
    Snapshot {
        now: state.now,
        boots: pulse.filter(|pulse| !pulse.original).map(|pulse| pulse.boots.as_slice()),
        minutes: pulse.map(|pulse| pulse.minutes.as_slice()).unwrap_or_default(),
        crowds: &data.crowds,
        sessions: data.sessions.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default(),
        latest: Some(&data.latest),
        tools: data.sums.tools.as_ref().map(|tools| tools.groups.as_slice()).unwrap_or_default(),
        answer: state.link.took,
        start: &state.settings.serve_hint,
    }
}
