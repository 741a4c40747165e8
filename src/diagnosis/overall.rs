//! Everything at once.

use super::calls::of_calls;
use super::clients::of_crowd;
use super::finding::{Finding, Rule};
use super::server::of_server;
use super::sessions::of_session;
use super::snapshot::Snapshot;
use super::thresholds::Thresholds;

/// What is wrong, the most urgent first. What is only good to know of a session is said where the session is shown.
pub fn overall(snapshot: &Snapshot<'_>, thresholds: &Thresholds) -> Vec<Finding> {
    let mut findings = of_server(snapshot, &thresholds.server);
    findings.extend(of_calls(snapshot, &thresholds.calls));
    findings.extend(snapshot.crowds.iter().filter(|crowd| crowd.sessions >= thresholds.client.crowd).map(of_crowd));
    let sessions = snapshot.sessions.iter().flat_map(|session| of_session(snapshot, session, thresholds));
    findings.extend(sessions.filter(|finding| finding.rule < Rule::Silent));
    findings.sort_by_key(|finding| finding.rule.urgency());
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::queries::latest::Latest;
    use crate::queries::sessions::{Session, State};
    use crate::queries::standings::Crowd;
    use crate::queries::usage::Usage;

    const NOW: Timestamp = Timestamp::from_millis(1_768_046_400_000);

    fn session(id: &str) -> Session {
        Session::made_up(id, NOW)
    }

    fn latest(tool: &str, ms: f64, failed_in_a_row: usize) -> Latest {
        Latest { last_tool: Some(tool.to_owned()), last_ms: Some(ms), p95_ms: None, failed_in_a_row }
    }

    #[test]
    fn the_most_urgent_comes_first_and_each_says_what_to_do() {
        let sessions = [
            Session { errors: 3, ..session("failing-1") },
            Session { expires_at: Some(NOW.plus(Duration::from_secs(90))), ..session("ending-1") },
            Session { called_tools: false, ..session("silent-1") },
            session("stuck-1"),
            session("slow-1"),
        ];
        let latest = HashMap::from([
            ("archon-stuck-1".to_owned(), latest("find", 1.0, 3)),
            ("archon-slow-1".to_owned(), latest("find", 700.0, 0)),
        ]);
        let tools = [Usage { name: "find".to_owned(), p95_ms: Some(3.0), ..Usage::default() }];
        let crowd = |sessions| Crowd { client_type: "Cursor".to_owned(), user_name: "bob".to_owned(), sessions };
        let crowds = [crowd(25), crowd(19)];
        let snapshot = Snapshot {
            now: NOW,
            crowds: &crowds,
            sessions: &sessions,
            latest: Some(&latest),
            tools: &tools,
            ..Snapshot::default()
        };
        let found = overall(&snapshot, &Thresholds::default());
        let lines: Vec<_> = found.iter().map(Finding::line).collect();
        let expected = [
            "stuck-1 Cursor: find failed 3× in a row",
            "failing- Cursor: 3 of 10 calls failed",
            "Cursor of bob has 25 open sessions",
            "slow-1 Cursor: slow: 700ms (p95 3.0ms)",
            "ending-1 Cursor: ends in 1m30s unless used",
        ];
        assert_eq!(lines, expected);
        assert!(found.iter().all(|finding| !finding.evidence.is_empty() && !finding.next_step.is_empty()));
    }

    #[test]
    fn nobody_is_warned_of_a_session_in_which_nobody_is() {
        let troubled = Session { errors: 9, called_tools: false, ..session("a") };
        let of = |state| {
            let snapshot = Snapshot { now: NOW, ..Snapshot::default() };
            let session = Session { state, ..troubled.clone() };
            of_session(&snapshot, &session, &Thresholds::default()).len()
        };
        assert_eq!((of(State::Active), of(State::Idle), of(State::Ended)), (2, 0, 0));
    }
}
