//! JUnit XML, which every CI system reads.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::human;
use crate::model::harmless::printable;
use crate::selftest::run::{Outcome, Verdict};

/// The whole document. `again` gives the command that runs just that scenario.
///
/// # Errors
/// When something in it cannot stand in XML.
pub fn document(
    outcomes: &[Outcome],
    took: Duration,
    again: impl Fn(&str) -> String,
) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("archonctl selftest");
    suite.set_time(took);
    for outcome in outcomes {
        suite.add_test_case(case(outcome, &again(&outcome.id)));
    }
    let mut report = Report::new("archonctl selftest");
    report.set_time(took);
    report.add_test_suite(suite);
    report.to_string()
}

fn case(outcome: &Outcome, again: &str) -> TestCase {
    let status = match &outcome.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed(failure) => {
            let kind = if failure.could_not_run { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            let mut status = TestCaseStatus::non_success(kind);
            let what = if failure.could_not_run { "broken" } else { "failed" };
            status.set_type(what).set_message(plain(&failure.message));
            status.set_description(plain(&human::failed(failure, again)));
            status
        }
        Verdict::NotApplicable(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(plain(&format!("not applicable: {reason}")));
            status
        }
        Verdict::NotRun(reason) => {
            // Not a skip: CI systems count those as good.
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not run").set_message(plain(reason));
            status
        }
    };
    let round = if outcome.round > 1 { format!(" #{}", outcome.round) } else { String::new() };
    let mut case = TestCase::new(plain(&format!("{}{round}: {}", outcome.id, outcome.name)), status);
    case.set_classname("archonctl.selftest").set_time(outcome.took);
    case
}

/// XML 1.0 has no place for control characters, nor for two that are no characters at all (section 2.2).
fn plain(text: &str) -> String {
    printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
