//! Do calls succeed, whoever makes them.

use super::finding::{Finding, Rule, Subject};
use super::snapshot::Snapshot;
use super::thresholds::CallThresholds;
use crate::model::figures::count;
use crate::queries::minutes;

/// What is wrong with the calls of the last minutes.
pub(super) fn of_calls(snapshot: &Snapshot<'_>, thresholds: &CallThresholds) -> Option<Finding> {
    let back = thresholds.minutes;
    let (calls, errors) = minutes::last(snapshot.minutes, snapshot.now, back);
    thresholds.are_too_many(errors, calls).then(|| Finding {
        rule: Rule::Failures,
        subject: Subject::Calls,
        text: format!("{} of {} calls in {back} minutes failed", count(errors), count(calls)),
        evidence: format!("{errors} of {calls} calls"),
        next_step: format!("see why: archonctl requests --status error --since {back}m"),
    })
}

impl CallThresholds {
    /// Whether that many of that many calls should not have failed.
    pub(super) fn are_too_many(&self, errors: i64, calls: i64) -> bool {
        calls >= self.enough && errors.saturating_mul(self.one_in) > calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::queries::minutes::Minute;

    #[test]
    fn few_calls_or_few_errors_are_no_finding() {
        let text = |calls, errors, ago: i64| {
            let now = Timestamp::from_millis(1_768_046_400_000);
            let minute = now.shifted(-60_000 * ago).minute();
            let minutes = [Minute { minute, calls, errors, p95_ms: None }];
            let snapshot = Snapshot { now, minutes: &minutes, ..Snapshot::default() };
            of_calls(&snapshot, &CallThresholds::default()).map(|finding| finding.text)
        };
        assert_eq!(text(10, 3, 1).as_deref(), Some("3 of 10 calls in 5 minutes failed"));
        assert_eq!([text(10, 2, 1), text(4, 4, 1), text(10, 9, 7)], [const { None }; 3]);
    }
}
