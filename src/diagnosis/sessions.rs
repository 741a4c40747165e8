//! What is to be said of one session.

use super::finding::{Finding, Rule, Subject};
use super::snapshot::Snapshot;
use super::thresholds::{CallThresholds, Thresholds};
use crate::model::figures::{count, millis, span};
use crate::queries::latest::Latest;
use crate::queries::sessions::{Session, State};
use crate::queries::usage::Usage;

/// What is to be said of a session, the most urgent first. Of one that has ended, nothing.
pub fn of_session(snapshot: &Snapshot<'_>, session: &Session, thresholds: &Thresholds) -> Vec<Finding> {
    let look = Look { snapshot, session, thresholds };
    let mut findings: Vec<_> = match session.state {
        State::Ended => Vec::new(),
        // Nobody is there who could mind the rest, or mend it.
        State::Idle => look.near_end().into_iter().collect(),
        State::Active => {
            let all = [look.near_end(), look.stuck(), look.failing(), look.slow(), look.silent(), look.went_on()];
            all.into_iter().flatten().collect()
        }
    };
    findings.sort_by_key(|finding| finding.rule.urgency());
    findings
}

struct Look<'a> {
    snapshot: &'a Snapshot<'a>,
    session: &'a Session,
    thresholds: &'a Thresholds,
}

impl Look<'_> {
    fn finding(&self, rule: Rule, text: String, evidence: String, next_step: impl Into<String>) -> Finding {
        let (id, client) = (self.session.id().to_owned(), self.session.client_type.clone());
        Finding { rule, subject: Subject::Session { id, client }, text, evidence, next_step: next_step.into() }
    }

    fn latest(&self) -> Option<&Latest> {
        self.snapshot.latest?.get(&self.session.session_id)
    }

    fn its_failures(&self) -> String {
        format!("see why: archonctl requests --session {} --status error", self.session.id())
    }

    fn near_end(&self) -> Option<Finding> {
        let end = self.session.expires_at?;
        let left = end.since(self.snapshot.now);
        (left < self.thresholds.session.near_end).then(|| {
            let text = format!("ends in {} unless used", span(left));
            self.finding(Rule::NearEnd, text, format!("its time is over at {end}"), "any use of it keeps it")
        })
    }

    fn stuck(&self) -> Option<Finding> {
        let latest = self.latest().filter(|latest| latest.failed_in_a_row >= self.thresholds.session.stuck_after)?;
        let (tool, times) = (latest.last_tool.as_deref().unwrap_or("a tool"), latest.failed_in_a_row);
        let text = format!("{tool} failed {times}× in a row");
        Some(self.finding(Rule::Stuck, text, format!("its last {times} calls"), self.its_failures()))
    }

    fn failing(&self) -> Option<Finding> {
        let Session { calls, errors, .. } = *self.session;
        self.thresholds.calls.are_too_many(errors, calls).then(|| {
            let text = format!("{} of {} calls failed", count(errors), count(calls));
            self.finding(Rule::FailingSession, text, format!("{errors} of {calls} calls"), self.its_failures())
        })
    }

    fn slow(&self) -> Option<Finding> {
        let latest = self.latest()?;
        let (ms, usual) = slow(latest, self.snapshot.tools, &self.thresholds.calls)?;
        let text = format!("slow: {} (p95 {})", millis(ms), millis(usual));
        let evidence = format!("its last call took {}; that tool's p95 is {}", millis(ms), millis(usual));
        Some(self.finding(
            Rule::SlowCall,
            text,
            evidence,
            "see whether others are slow too: archonctl stats --since 1h",
        ))
    }

    fn silent(&self) -> Option<Finding> {
        let age = self.snapshot.now.since(self.session.connected_at);
        (!self.session.called_tools && age >= self.thresholds.session.silent_after).then(|| {
            let next_step = "see whether its program offers the tools to anybody";
            self.finding(
                Rule::Silent,
                "no tool called yet".to_owned(),
                format!("it began {} ago", span(age)),
                next_step,
            )
        })
    }

    fn went_on(&self) -> Option<Finding> {
        let boot = self.snapshot.boots?.first()?;
        let went_on = self.session.connected_at < boot.started_at && self.session.last_activity >= boot.started_at;
        went_on.then(|| {
            let text = format!("survived the restart, boot {}", boot.number);
            let evidence = format!("it began before {} and was used after", boot.started_at);
            self.finding(Rule::WentOn, text, evidence, "nothing to do: this is normal")
        })
    }
}

/// The last call, if it was slow against its tool's usual: how long it took, and what is usual.
fn slow(latest: &Latest, tools: &[Usage], thresholds: &CallThresholds) -> Option<(f64, f64)> {
    let (tool, ms) = (latest.last_tool.as_ref()?, latest.last_ms?);
    let usual = tools.iter().find(|usage| usage.name == *tool)?.p95_ms?;
    (ms >= thresholds.slow_ms && ms > usual * thresholds.slow_factor).then_some((ms, usual))
}
