//! For scripts: one event a line.

use std::time::Duration;

use serde_json::{Value, json};

use super::Summary;
use crate::selftest::run::{Outcome, Verdict};

/// A run begins.
pub fn begun(target: &str, scenarios: usize, seed: Option<u64>) -> Value {
    json!({"event": "begun", "version": env!("CARGO_PKG_VERSION"), "target": target, "scenarios": scenarios, "seed": seed})
}

/// A scenario begins.
pub fn started(id: &str) -> Value {
    json!({"event": "started", "id": id})
}

/// A scenario has ended.
pub fn finished(outcome: &Outcome) -> Value {
    let mut event = json!({
        "event": "finished", "id": outcome.id, "name": outcome.name, "round": outcome.round,
        "verdict": outcome.verdict.word(), "duration_seconds": outcome.took.as_secs_f64(),
    });
    match &outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed(failure) => event["failure"] = json!(failure),
        Verdict::NotApplicable(reason) | Verdict::NotRun(reason) => event["reason"] = json!(reason),
    }
    event
}

/// A run has ended.
pub fn ended(summary: &Summary, took: Duration) -> Value {
    let mut event = json!(summary);
    event["event"] = "ended".into();
    event["good"] = summary.is_good().into();
    event["duration_seconds"] = took.as_secs_f64().into();
    event
}

#[cfg(test)]
mod tests {
    use super::super::fixture::outcomes;
    use super::*;

    #[test]
    fn events_say_what_happened() {
        let [kept, failed, broken, elsewhere, _] = &outcomes()[..] else { panic!("five outcomes") };
        let event = finished(kept);
        assert_eq!((&event["verdict"], event.get("failure"), event.get("reason")), (&json!("passed"), None, None));
        let event = finished(failed);
        assert_eq!(event["verdict"], "failed");
        assert_eq!(event["failure"]["mismatches"][0], json!({"what": "status", "expected": "404", "actual": "400"}));
        assert_eq!(event["failure"]["exchange"]["answer"], "400 after 2ms");
        assert_eq!(finished(broken)["verdict"], "broken");
        assert_eq!(finished(elsewhere)["reason"], "it needs PostgreSQL");
        let end = ended(&Summary::default(), Duration::from_millis(1500));
        assert_eq!(
            (&end["event"], &end["good"], &end["duration_seconds"]),
            (&json!("ended"), &json!(false), &json!(1.5))
        );
    }
}
