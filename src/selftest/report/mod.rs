//! What comes out of a run: for people ([`human`]), for scripts ([`json`]), for CI systems ([`junit`], [`tap`]), and what
//! it comes to ([`Summary`]).

pub mod baseline;
pub mod human;
pub mod json;
pub mod junit;
pub mod tap;

use std::collections::BTreeSet;

use serde::Serialize;

use super::run::{Outcome, Verdict};
use baseline::Baseline;

/// What a run comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Promises that are kept.
    pub passed: usize,
    /// Promises that are not kept, or of which that could not be seen.
    pub failed: usize,
    /// Failures that the baseline expects; they are among the failed ones.
    pub expected: usize,
    /// Scenarios that say nothing about this server.
    pub not_applicable: usize,
    /// Scenarios that were not run.
    pub not_run: usize,
    /// Failures that nobody expects, by id.
    pub unexpected: BTreeSet<String>,
    /// Scenarios that the baseline expects to fail, and that pass.
    pub stale: BTreeSet<String>,
}

impl Summary {
    /// What these outcomes come to.
    pub fn of(outcomes: &[Outcome], baseline: &Baseline) -> Self {
        let mut summary = Self::default();
        let mut passed = BTreeSet::new();
        let mut failed = BTreeSet::new();
        for outcome in outcomes {
            match outcome.verdict {
                Verdict::Passed => {
                    summary.passed += 1;
                    passed.insert(outcome.id.as_str());
                }
                Verdict::Failed(_) => {
                    summary.failed += 1;
                    summary.expected += usize::from(baseline.expects(&outcome.id));
                    failed.insert(outcome.id.as_str());
                }
                Verdict::NotApplicable(_) => summary.not_applicable += 1,
                Verdict::NotRun(_) => summary.not_run += 1,
            }
        }
        let owned = |ids: &mut dyn Iterator<Item = &&str>| ids.map(|id| (*id).to_owned()).collect();
        summary.unexpected = owned(&mut failed.iter().filter(|id| !baseline.expects(id)));
        summary.stale = owned(&mut passed.difference(&failed).filter(|id| baseline.expects(id)));
        summary
    }

    /// Whether all is as it should be. A run in which nothing was checked shows nothing, so it is not.
    pub fn is_good(&self) -> bool {
        self.unexpected.is_empty() && self.stale.is_empty() && self.not_run == 0 && self.passed + self.expected > 0
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use std::time::Duration;

    use crate::selftest::run::failure::{Exchange, Failure, Mismatch};
    use crate::selftest::run::{Outcome, Verdict};

    /// One outcome of each kind.
    pub(in crate::selftest) fn outcomes() -> Vec<Outcome> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let exchange = Exchange {
            request: "POST http://127.0.0.1:1/mcp".to_owned(),
            request_headers: vec![pair("authorization", "[masked]")],
            request_body: "{\"id\":1}".to_owned(),
            answer: "400 after 2ms".to_owned(),
            answer_headers: vec![pair("content-type", "text/plain")],
            answer_body: "<no & \u{1b}[31m>".to_owned(),
        };
        let failed = Failure {
            step: "step 2 (call: ping)".to_owned(),
            message: "status: expected 404, got 400".to_owned(),
            mismatches: vec![Mismatch {
                what: "status".to_owned(),
                expected: "404".to_owned(),
                actual: "400".to_owned(),
            }],
            exchange: Some(exchange),
            log: vec!["a line".to_owned()],
            could_not_run: false,
        };
        let broken = Failure {
            step: String::new(),
            message: "the server did not start".to_owned(),
            mismatches: vec![],
            exchange: None,
            log: vec![],
            could_not_run: true,
        };
        let verdicts = [
            ("kept", Verdict::Passed),
            ("broken-promise", Verdict::Failed(Box::new(failed))),
            ("broken-server", Verdict::Failed(Box::new(broken))),
            ("elsewhere", Verdict::NotApplicable("it needs PostgreSQL".to_owned())),
            ("too-late", Verdict::NotRun("the run was ended before".to_owned())),
        ];
        let outcome = |(id, verdict): (&str, Verdict)| Outcome {
            id: id.to_owned(),
            name: format!("The promise of {id}"),
            round: 1,
            verdict,
            took: Duration::from_millis(1234),
        };
        verdicts.map(outcome).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(baseline: &str) -> Summary {
        Summary::of(&fixture::outcomes(), &Baseline::parse("b", baseline, &[]).expect("a baseline"))
    }

    #[test]
    fn each_verdict_counts_as_what_it_is() {
        let summary = of("");
        assert_eq!((summary.passed, summary.failed, summary.not_applicable, summary.not_run), (1, 2, 1, 1));
        assert_eq!(summary.unexpected, ["broken-promise", "broken-server"].map(str::to_owned).into());
        assert!(!summary.is_good());
    }

    #[test]
    fn a_baseline_excuses_what_it_names_and_nothing_else() {
        let all = of("broken-promise\nbroken-server # slow\n");
        assert_eq!((all.expected, all.unexpected.len(), all.stale.len()), (2, 0, 0));
        assert!(!all.is_good(), "one was not run");
        let stale = of("broken-promise\nbroken-server\nkept\nelsewhere");
        assert_eq!(stale.stale, ["kept".to_owned()].into());

        let mut outcomes = fixture::outcomes();
        outcomes.truncate(3);
        let baseline = |text: &str| Baseline::parse("b", text, &[]).expect("a baseline");
        assert!(Summary::of(&outcomes, &baseline("broken-promise\nbroken-server")).is_good());
        assert!(!Summary::of(&outcomes, &baseline("broken-promise")).is_good());
        assert!(!Summary::of(&outcomes, &baseline("broken-promise\nbroken-server\nkept")).is_good());
    }

    #[test]
    fn nothing_checked_is_nothing_shown() {
        let outcomes = fixture::outcomes();
        assert!(!Summary::of(&outcomes[3..4], &Baseline::default()).is_good());
        assert!(!Summary::of(&[], &Baseline::default()).is_good());
        assert!(Summary::of(&outcomes[..1], &Baseline::default()).is_good());
    }
}
