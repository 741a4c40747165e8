//! What rules find in what is held, how it looks on the screens, and where it leads.

use super::app::App;
use super::theme::Tone;
use crate::diagnosis::{self, Finding, Rule, Severity, Snapshot, Subject, Thresholds};
use crate::queries::sessions::Session;

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
    if finding.rule == Rule::NoServer { format!("{}; {}", finding.line(), finding.next_step) } else { finding.line() }
}

/// What is to be said of a session, the most urgent first.
pub(super) fn of_session(app: &App, session: &Session) -> Vec<Finding> {
    diagnosis::of_session(&snapshot(app), session, &Thresholds::default())
}

/// What is to be said in all, the most urgent first.
pub(super) fn overall(app: &App) -> Vec<Finding> {
    diagnosis::overall(&snapshot(app), &Thresholds::default())
}

/// What is held, as rules look at it.
fn snapshot(app: &App) -> Snapshot<'_> {
    let (data, pulse) = (&app.data, app.data.pulse.as_ref());
    Snapshot {
        now: app.now,
        boots: pulse.filter(|pulse| !pulse.original).map(|pulse| pulse.boots.as_slice()),
        minutes: pulse.map(|pulse| pulse.minutes.as_slice()).unwrap_or_default(),
        crowds: &data.crowds,
        sessions: data.sessions.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default(),
        latest: Some(&data.latest),
        tools: data.sums.tools.as_ref().map(|tools| tools.groups.as_slice()).unwrap_or_default(),
        answer: app.link.took,
        start: &app.settings.serve_hint,
    }
}
