//! TAP 14, for harnesses that read the Test Anything Protocol. It is written at the end, in the order of the outcomes.

use std::fmt::Write as _;

use super::baseline::Baseline;
use super::human;
use crate::model::harmless;
use crate::selftest::run::{Outcome, Verdict};

/// The whole document.
pub fn document(outcomes: &[Outcome], baseline: &Baseline) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", outcomes.len());
    for (place, outcome) in outcomes.iter().enumerate() {
        let number = place + 1;
        let name = escaped(&format!("{}: {}", outcome.id, outcome.name));
        // A text takes whatever is written to it.
        _ = match &outcome.verdict {
            Verdict::Passed => writeln!(text, "ok {number} - {name}"),
            Verdict::NotApplicable(reason) => writeln!(text, "ok {number} - {name} # SKIP {}", escaped(reason)),
            // Not a skip: harnesses count those as good.
            Verdict::NotRun(reason) => writeln!(text, "not ok {number} - {name} ({})", escaped(reason)),
            Verdict::Failed(failure) => {
                let todo = if baseline.expects(&outcome.id) { " # TODO expected failure" } else { "" };
                let told = writeln!(text, "not ok {number} - {name}{todo}");
                for line in human::failed(failure, "").lines() {
                    _ = writeln!(text, "# {}", harmless::line(line));
                }
                told
            }
        };
    }
    text
}

/// A `#` would begin a directive, a line break another line.
fn escaped(text: &str) -> String {
    harmless::line(text).replace('\\', "\\\\").replace('#', "\\#")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::outcomes;
    use super::*;

    #[test]
    fn each_outcome_is_a_line() {
        let mut outcomes = outcomes();
        outcomes[0].name = "a # b\nc".to_owned();
        let baseline = Baseline::parse("b", "broken-server", &[]).expect("a baseline");
        let text = document(&outcomes, &baseline);
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("# ")).collect();
        assert_eq!(
            lines,
            [
                "TAP version 14",
                "1..5",
                "ok 1 - kept: a \\# b c",
                "not ok 2 - broken-promise: The promise of broken-promise",
                "not ok 3 - broken-server: The promise of broken-server # TODO expected failure",
                "ok 4 - elsewhere: The promise of elsewhere # SKIP it needs PostgreSQL",
                "not ok 5 - too-late: The promise of too-late (the run was ended before)",
            ]
        );
        assert!(text.contains("# status\n") && !text.contains('\u{1b}'), "{text}");
    }
}
