//! How clients treat their sessions.

use super::finding::{Finding, Rule, Subject};
use super::thresholds::ClientThresholds;
use crate::model::figures::several;
use crate::queries::clients::ClientUse;
use crate::queries::standings::Crowd;

/// What is to be said of a client: that it never closes what it opens, or calls nothing.
pub fn of_client(client: &ClientUse, thresholds: &ClientThresholds) -> Option<Finding> {
    let finding = |rule, text: &str, evidence, next_step: &str| Finding {
        rule,
        subject: Subject::Client(client.client_type.clone()),
        text: text.to_owned(),
        evidence,
        next_step: next_step.to_owned(),
    };
    let many = client.timed_out >= thresholds.timed_out || client.open >= thresholds.open;
    if client.closed == 0 && many {
        let evidence = format!("{} open, {} ran out of time, none was closed", client.open, client.timed_out);
        let next_step = "let the program send DELETE when it is done with a session";
        return Some(finding(Rule::NeverCloses, "closes none", evidence, next_step));
    }
    let silent = client.silent > 0 && client.silent == client.sessions;
    silent.then(|| {
        let evidence = format!("{} without a call", several(client.silent, "session"));
        finding(Rule::CallsNothing, "calls no tool", evidence, "see whether its program offers the tools to anybody")
    })
}

/// A client of one user with many sessions in use.
pub(super) fn of_crowd(crowd: &Crowd) -> Finding {
    let whose = if crowd.user_name.is_empty() { String::new() } else { format!(" of {}", crowd.user_name) };
    let open = several(crowd.sessions, "open session");
    Finding {
        rule: Rule::Crowd,
        subject: Subject::Client(crowd.client_type.clone()),
        text: format!("{}{whose} has {open}", crowd.client_type),
        evidence: open,
        next_step: "see whether its program opens a session for each call instead of keeping one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_closes_none_of_many_and_who_calls_nothing_is_found() {
        let client = |sessions, open, closed, timed_out, silent| ClientUse {
            client_type: "Cursor".to_owned(),
            client_version: String::new(),
            sessions,
            open,
            silent,
            closed,
            timed_out,
            calls: 0,
            errors: 0,
            archon_sessions: 0,
            lasted: 0,
            lasted_s: 0,
        };
        let rule = |client| of_client(&client, &ClientThresholds::default()).map(|finding| finding.rule);
        assert_eq!(rule(client(8, 1, 0, 7, 0)), Some(Rule::NeverCloses));
        assert_eq!(rule(client(12, 10, 0, 2, 12)), Some(Rule::NeverCloses));
        assert_eq!(rule(client(12, 10, 1, 2, 0)), None, "it closed one");
        assert_eq!(rule(client(3, 1, 0, 2, 0)), None, "too few to tell");
        assert_eq!(rule(client(2, 2, 0, 0, 2)), Some(Rule::CallsNothing));
    }
}
