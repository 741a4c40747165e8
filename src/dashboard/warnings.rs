//! Warnings: what an operator should look at, with one line of why.

use std::time::Duration;

use super::app::App;
use super::text::{count, millis, several, span};
use super::theme::Tone;
use crate::queries::sessions::{Session, State};
use crate::queries::usage::Statistics;

/// A client that has called nothing for this long is silent.
const SILENT_AFTER: Duration = Duration::from_mins(1);
/// Errors beyond this share are too many, where there are at least this number of calls.
const ERROR_SHARE: i64 = 5;
const ENOUGH_CALLS: i64 = 5;
/// The same call that failed this often in a row is stuck.
const STUCK_AFTER: usize = 3;
/// A session with less than this time left is near its end.
const NEAR: Duration = Duration::from_mins(5);
/// A call is slow when it took this many times what 95 % of its tool's calls take, and at least this long.
const SLOW_FACTOR: f64 = 3.0;
const SLOW_MS: f64 = 50.0;
/// A server cleans up each five minutes, unless it was told otherwise.
const NO_CLEANUP_FOR: Duration = Duration::from_mins(15);
/// A database that takes this long to answer a small question is slow.
const SLOW_DATABASE: Duration = Duration::from_millis(250);

/// What a warning leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A session.
    Session(String),
    /// Failed requests.
    Failures,
    /// The sessions of a client.
    Client(String),
    /// Boots.
    Boots,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    /// Zero is the most urgent.
    pub(super) urgency: u8,
    /// Why.
    pub(super) text: String,
    /// What it leads to.
    pub(super) subject: Option<Subject>,
}

impl Warning {
    fn new(urgency: u8, text: impl Into<String>, subject: Option<Subject>) -> Self {
        Self { urgency, text: text.into(), subject }
    }

    /// How it looks.
    pub(super) fn tone(&self) -> Tone {
        match self.urgency {
            0..=3 => Tone::Bad,
            4..=7 => Tone::Warn,
            _ => Tone::Dim,
        }
    }
}

/// What is to be said of a session, the most urgent first.
pub(super) fn of_session(app: &App, session: &Session) -> Vec<Warning> {
    if session.state == State::Ended {
        return Vec::new();
    }
    let subject = || Some(Subject::Session(session.id().to_owned()));
    let mut warnings = Vec::new();
    let mut warn = |urgency, text: String| warnings.push(Warning::new(urgency, text, subject()));
    if let Some(left) = session.expires_at.map(|end| end.since(app.now)).filter(|left| *left < NEAR) {
        warn(6, format!("ends in {} unless used", span(left)));
    }
    // Nobody is there who could mind, or mend it.
    if session.state == State::Idle {
        return warnings;
    }
    let latest = app.data.latest.get(&session.session_id);
    if let Some(latest) = latest.filter(|latest| latest.failed_in_a_row >= STUCK_AFTER) {
        let tool = latest.last_tool.as_deref().unwrap_or("a tool");
        warn(2, format!("{tool} failed {}× in a row", latest.failed_in_a_row));
    }
    if session.calls >= ENOUGH_CALLS && session.errors * ERROR_SHARE > session.calls {
        warn(3, format!("{} of {} calls failed", count(session.errors), count(session.calls)));
    }
    if let Some((ms, usual)) = latest.and_then(|latest| slow(app.data.sums.tools.as_ref(), latest)) {
        warn(5, format!("slow: {} (p95 {})", millis(ms), millis(usual)));
    }
    if !session.called_tools && app.now.since(session.connected_at) >= SILENT_AFTER {
        warn(7, "no tool called yet".to_owned());
    }
    if let Some(boot) = app.data.pulse.as_ref().and_then(|pulse| pulse.boots.first())
        && session.connected_at < boot.started_at
        && session.last_activity >= boot.started_at
    {
        warn(9, format!("went on over the restart, boot {}", boot.number));
    }
    warnings.sort_by_key(|warning| warning.urgency);
    warnings
}

/// The last call, if it was slow against its tool's usual: how long it took, and what is usual.
fn slow(tools: Option<&Statistics>, latest: &crate::queries::latest::Latest) -> Option<(f64, f64)> {
    let (tool, ms) = (latest.last_tool.as_ref()?, latest.last_ms?);
    let usual = tools?.groups.iter().find(|group| group.name == *tool)?.p95_ms?;
    (ms >= SLOW_MS && ms > usual * SLOW_FACTOR).then_some((ms, usual))
}

/// What is to be said in all, the most urgent first.
pub(super) fn overall(app: &App) -> Vec<Warning> {
    let mut warnings = of_the_server(app);
    if let Some(took) = app.link.took.filter(|took| *took >= SLOW_DATABASE) {
        warnings.push(Warning::new(1, format!("the database is slow: {}", span_ms(took)), None));
    }
    let (calls, errors) = last_minutes(app, 5);
    if calls >= ENOUGH_CALLS && errors * ERROR_SHARE > calls {
        let text = format!("{} of {} calls in 5 minutes failed", count(errors), count(calls));
        warnings.push(Warning::new(2, text, Some(Subject::Failures)));
    }
    for crowd in &app.data.crowds {
        let whose = if crowd.user_name.is_empty() { String::new() } else { format!(" of {}", crowd.user_name) };
        let open = several(crowd.sessions, "open session");
        let text = format!("{}{whose} has {open}", crowd.client_type);
        warnings.push(Warning::new(4, text, Some(Subject::Client(crowd.client_type.clone()))));
    }
    let sessions = app.data.sessions.iter().flat_map(|list| &list.rows);
    for session in sessions {
        let of_it = of_session(app, session).into_iter().filter(|warning| warning.urgency < 7);
        warnings.extend(of_it.map(|warning| Warning { text: named(session, &warning.text), ..warning }));
    }
    warnings.sort_by_key(|warning| warning.urgency);
    warnings
}

fn named(session: &Session, text: &str) -> String {
    format!("{} {}: {text}", session.id().get(..8).unwrap_or_default(), session.client_type)
}

fn of_the_server(app: &App) -> Vec<Warning> {
    let Some(pulse) = app.data.pulse.as_ref().filter(|pulse| !pulse.original) else { return Vec::new() };
    let Some(boot) = pulse.boots.iter().find(|boot| boot.is_up(app.now)) else {
        let last = pulse.boots.first().map(|boot| boot.ended_at.unwrap_or(boot.heartbeat_at));
        let since = last.map_or_else(String::new, |at| format!(" for {}", span(app.now.since(at))));
        let text = format!("no server is alive{since}; start one: {}", app.settings.serve_hint);
        return vec![Warning::new(0, text, Some(Subject::Boots))];
    };
    let cleaned = boot.cleanup_at.unwrap_or(boot.started_at);
    if app.now.since(cleaned) < NO_CLEANUP_FOR {
        return Vec::new();
    }
    let text = format!("no cleanup for {}: sessions may outlive their time", span(app.now.since(cleaned)));
    vec![Warning::new(3, text, Some(Subject::Boots))]
}

/// Calls and errors of the last minutes.
pub(super) fn last_minutes(app: &App, minutes: u64) -> (i64, i64) {
    let since = app.now.minus(Duration::from_secs(60 * minutes)).minute();
    let minutes = app.data.pulse.iter().flat_map(|pulse| &pulse.minutes).filter(|minute| minute.minute >= since);
    minutes.fold((0, 0), |(calls, errors), minute| (calls + minute.calls, errors + minute.errors))
}

fn span_ms(took: Duration) -> String {
    millis(took.as_secs_f64() * 1000.0)
}
