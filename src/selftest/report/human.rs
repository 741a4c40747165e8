//! For people: one line a scenario, and all about a failure below it.

use std::fmt::Write as _;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::Summary;
use crate::selftest::run::failure::{Exchange, Failure};
use crate::selftest::run::{Outcome, Verdict};

/// The word that a line about an outcome begins with.
pub fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "PASS",
        Verdict::Failed(failure) if failure.could_not_run => "BROKEN",
        Verdict::Failed(_) => "FAIL",
        Verdict::NotApplicable(_) => "n/a",
        Verdict::NotRun(_) => "not run",
    }
}

/// What is told of an outcome, without the word: one line, and below it whatever a failure has to say. `again` is the
/// command that runs just this one.
pub fn told(outcome: &Outcome, again: &str) -> String {
    let round = if outcome.round > 1 { format!(" #{}", outcome.round) } else { String::new() };
    let mut text = format!("{:>7} {}{round}: {}\n", seconds(outcome.took), outcome.id, outcome.name);
    match &outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed(failure) => indent(&mut text, 4, &failed(failure, again)),
        Verdict::NotApplicable(reason) | Verdict::NotRun(reason) => indent(&mut text, 4, reason),
    }
    text
}

/// What a run comes to, in a line or a few.
pub fn summed_up(summary: &Summary, took: Duration) -> String {
    let counts = [
        (summary.passed, "passed"),
        (summary.failed - summary.expected, "failed"),
        (summary.expected, "failed as expected"),
        (summary.not_applicable, "not applicable"),
        (summary.not_run, "not run"),
    ];
    let told = counts.iter().filter(|(count, word)| *count > 0 || *word == "passed");
    let told: Vec<_> = told.map(|(count, word)| format!("{count} {word}")).collect();
    let mut text = format!("{} in {}\n", told.join(", "), seconds(took).trim());
    for id in &summary.stale {
        // A text takes whatever is written to it.
        _ = writeln!(text, "stale: {id} is expected to fail, and passes; take it out of the file of expected failures");
    }
    if summary.passed + summary.failed == 0 {
        text.push_str("no scenario was checked: this proves nothing\n");
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn indent(out: &mut String, by: usize, text: &str) {
    for line in text.lines() {
        _ = writeln!(out, "{:by$}{line}", "");
    }
}

/// All about a failure.
pub(super) fn failed(failure: &Failure, again: &str) -> String {
    let mut text = String::new();
    if failure.step.is_empty() {
        _ = writeln!(text, "{}", failure.message);
    } else if failure.mismatches.is_empty() {
        _ = writeln!(text, "{}: {}", failure.step, failure.message);
    } else {
        _ = writeln!(text, "{}", failure.step);
    }
    // Where more was tried than one thing, the message says what.
    if let (Some(before), false) = (failure.message.split_once(": ").map(|(b, _)| b), failure.mismatches.is_empty())
        && before.starts_with("not within")
    {
        _ = writeln!(text, "{before}:");
    }
    for mismatch in &failure.mismatches {
        _ = writeln!(text, "{}", mismatch.what);
        indent(&mut text, 2, &difference(&mismatch.expected, &mismatch.actual));
    }
    if let Some(exchange) = &failure.exchange {
        exchanged(&mut text, exchange);
    }
    if !failure.log.is_empty() {
        text.push_str("the server's log ends with\n");
        indent(&mut text, 2, &failure.log.join("\n"));
    }
    if !again.is_empty() {
        _ = writeln!(text, "again: {again}");
    }
    text
}

fn difference(expected: &str, actual: &str) -> String {
    let lines = |text: &str| text.lines().count();
    if lines(expected).min(lines(actual)) <= 1 {
        let side =
            |sign: &'static str, text: &str| text.lines().flat_map(|line| [sign, " ", line, "\n"]).collect::<String>();
        return format!("expected\n{}actual\n{}", side("-", expected), side("+", actual));
    }
    let mut text = String::from("expected (-) and actual (+)\n");
    for change in TextDiff::from_lines(expected, actual).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        _ = writeln!(text, "{sign} {}", change.value().trim_end_matches('\n'));
    }
    text
}

fn exchanged(text: &mut String, exchange: &Exchange) {
    for (sign, first, headers, body) in [
        ('>', &exchange.request, &exchange.request_headers, &exchange.request_body),
        ('<', &exchange.answer, &exchange.answer_headers, &exchange.answer_body),
    ] {
        _ = writeln!(text, "{sign} {first}");
        for (name, value) in headers {
            _ = writeln!(text, "{sign} {name}: {value}");
        }
        for line in body.lines() {
            _ = writeln!(text, "{sign}   {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::outcomes;
    use super::*;

    #[test]
    fn a_failure_tells_all() {
        let text = told(&outcomes()[1], "archonctl selftest broken-promise");
        let expected = " 1.23 s broken-promise: The promise of broken-promise
    step 2 (call: ping)
    status
      expected
      - 404
      actual
      + 400
    > POST http://127.0.0.1:1/mcp
    > authorization: [masked]
    >   {\"id\":1}
    < 400 after 2ms
    < content-type: text/plain
    <   <no & \u{1b}[31m>
    the server's log ends with
      a line
    again: archonctl selftest broken-promise
";
        assert_eq!(text, expected);
    }

    #[test]
    fn longer_texts_are_compared_line_by_line() {
        let text = difference("{\n  a\n  b\n}", "{\n  a\n  c\n}");
        assert_eq!(text, "expected (-) and actual (+)\n  {\n    a\n-   b\n+   c\n  }\n");
    }

    #[test]
    fn the_end_says_what_it_comes_to() {
        let summary = Summary::of(&outcomes(), &super::super::Baseline::default());
        let text = summed_up(&summary, Duration::from_millis(2500));
        assert_eq!(text, "1 passed, 2 failed, 1 not applicable, 1 not run in 2.50 s\n");
    }
}
