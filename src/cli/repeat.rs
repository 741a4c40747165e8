//! `call --repeat`: the same call many times over, for a quick look at how long it takes.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::client::{Arguments, Client, ClientError, Repeat};

use super::item::Item;
use super::output::millis;
use super::signal::{Interrupted, interrupted};

/// How often, and how many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Calls in all.
    pub(super) calls: usize,
    /// Calls that wait for their answer at the same time.
    pub(super) at_once: usize,
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How long each answered call took, as its caller sees it: waits and repeats included.
    latencies: Vec<Duration>,
    /// Calls that the tool answered with an error; they count as answered.
    tool_errors: usize,
    /// Calls without an answer.
    failed: usize,
    elapsed: Duration,
    /// The first call without an answer.
    first_failure: Option<ClientError>,
    /// The first answer that the tool marked as an error.
    first_tool_error: Option<ClientError>,
    /// The signal that ended it early.
    interrupted: Option<Interrupted>,
}

/// Calls as planned, until done or told to stop.
pub(super) async fn run(
    client: &Client,
    tool: &str,
    (arguments, repeat): (Arguments, Option<Repeat>),
    plan: Plan,
) -> Tally {
    let bar = bar(plan.calls);
    let begun = Instant::now();
    let one = async |_| {
        let begun = Instant::now();
        let answer = match repeat {
            Some(repeat) => client.call_tool_again(tool, arguments.clone(), repeat).await,
            None => client.call_tool(tool, arguments.clone()).await,
        };
        (begun.elapsed(), answer.err())
    };
    let mut calls = std::pin::pin!(stream::iter(0..plan.calls).map(one).buffer_unordered(plan.at_once));
    let mut stop = std::pin::pin!(interrupted());
    let mut late = std::pin::pin!(client.out_of_time());
    let mut tally = Tally::default();
    loop {
        tokio::select! {
            biased;
            signal = &mut stop => {
                tally.interrupted = Some(signal);
                break;
            }
            error = &mut late => {
                tally.add(begun.elapsed(), Some(error));
                break;
            }
            done = calls.next() => match done {
                Some((latency, error)) => tally.add(latency, error),
                None => break,
            },
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tally.elapsed = begun.elapsed();
    tally.latencies.sort_unstable();
    tally
}

/// On standard error, and only where a person looks at it.
fn bar(calls: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(calls).unwrap_or(u64::MAX));
    // A template that does not parse would leave the usual one.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    bar
}

impl Tally {
    fn add(&mut self, latency: Duration, error: Option<ClientError>) {
        match error {
            Some(error @ ClientError::Tool(_)) => {
                self.tool_errors += 1;
                self.first_tool_error.get_or_insert(error);
            }
            Some(error) => {
                self.failed += 1;
                self.first_failure.get_or_insert(error);
                return;
            }
            None => {}
        }
        self.latencies.push(latency);
    }

    /// What the exit code is to say.
    ///
    /// # Errors
    /// When it was interrupted, or a call went wrong; an error of the tool unless those are fine.
    pub(super) fn verdict(self, ignore_tool_errors: bool) -> anyhow::Result<()> {
        if let Some(signal) = self.interrupted {
            return Err(signal.into());
        }
        let calls = self.calls();
        let tool_error = self.first_tool_error.filter(|_| !ignore_tool_errors);
        match self.first_failure.or(tool_error) {
            None => Ok(()),
            Some(error) => {
                let wrong = self.failed + if ignore_tool_errors { 0 } else { self.tool_errors };
                Err(anyhow::Error::from(error).context(format!("{wrong} of {calls} calls went wrong; the first")))
            }
        }
    }

    fn calls(&self) -> usize {
        self.latencies.len() + self.failed
    }

    /// What is printed of it.
    pub(super) fn summary(&self, tool: &str, plan: Plan) -> Item {
        let seconds = self.elapsed.as_secs_f64();
        let answers = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        let rate = f64::from(answers) / seconds.max(f64::EPSILON);
        let named = [("min", 0), ("p50", 500), ("p95", 950), ("p99", 990), ("max", 1000)];
        let latency = named.map(|(name, permille)| (name, quantile(&self.latencies, permille).map(as_millis)));
        let figures = latency.map(|(name, ms)| format!("{name} {}", ms.map_or_else(|| "-".to_owned(), millis)));
        let text = format!(
            "{} calls, {} without an answer, {} with an error of the tool; {} at once, {:.2} s, {rate:.0} answers/s\n{}",
            self.calls(),
            self.failed,
            self.tool_errors,
            plan.at_once,
            seconds,
            figures.join("  ")
        );
        let latency: Value = latency.into_iter().map(|(name, ms)| (name.to_owned(), json!(ms))).collect();
        let members = vec![
            ("tool", json!(tool)),
            ("calls", json!(self.calls())),
            ("failed", json!(self.failed)),
            ("tool_errors", json!(self.tool_errors)),
            ("concurrency", json!(plan.at_once)),
            ("elapsed_ms", json!(as_millis(self.elapsed))),
            ("answers_per_second", json!(rate)),
            ("latency_ms", latency),
        ];
        Item { text, members }
    }
}

fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The smallest value that is not exceeded by `permille` of a thousand values (nearest rank).
fn quantile(sorted: &[Duration], permille: usize) -> Option<Duration> {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let sorted: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        for (permille, ms) in [(0, 1), (1, 1), (500, 50), (501, 51), (950, 95), (990, 99), (1000, 100)] {
            assert_eq!(quantile(&sorted, permille), Some(Duration::from_millis(ms)), "{permille}");
        }
        assert_eq!(quantile(&[], 500), None);
        assert_eq!(quantile(&sorted[..1], 990), Some(Duration::from_millis(1)));
    }

    #[test]
    fn counts_what_went_how() {
        let mut tally = Tally::default();
        let timeout = ClientError::Timeout { place: "x".into(), after: Duration::from_secs(1) };
        tally.add(Duration::from_millis(2), None);
        tally.add(Duration::from_millis(9), Some(timeout));
        tally.elapsed = Duration::from_secs(2);
        let plan = Plan { calls: 2, at_once: 1 };
        let item = tally.summary("t", plan);
        let expected = "2 calls, 1 without an answer, 0 with an error of the tool; 1 at once, 2.00 s, 0 answers/s\n\
            min 2.00ms  p50 2.00ms  p95 2.00ms  p99 2.00ms  max 2.00ms";
        assert_eq!(item.text, expected);
        let error = tally.verdict(true).expect_err("one went wrong");
        assert_eq!(format!("{error:#}"), "1 of 2 calls went wrong; the first: no answer from x within 1s");
        assert_eq!(Tally::default().summary("t", plan).members[7].1["p50"], Value::Null);
    }
}
