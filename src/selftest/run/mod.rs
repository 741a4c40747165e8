//! Scenarios are run: several at the same time, each on a stage of its own, each with its time.
//!
//! ```text
//! play     one scenario: its steps one after the other, until one fails
//! http     steps that are HTTP requests
//! ask      a request is sent, its answer judged and remembered
//! judge    whether a value is what a script expects
//! scope    variables and sessions, and how texts are filled in with them
//! failure  what is told of a step that failed
//! ```

mod ask;
pub mod failure;
mod http;
mod judge;
mod play;
mod scope;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::failure::Failure;
use self::play::Player;
use super::report::baseline::Baseline;
use super::script::Scenario;
use super::target::{Facts, Stage, Target, stage};

/// How long a scenario may take when nobody says.
const SCENARIO_TIME: Duration = Duration::from_secs(30);

/// Why a scenario has no verdict that was interrupted.
const ENDED_WHILE_IT_RAN: &str = "the run was stopped while this ran";

/// A scenario that was chosen.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What it is called on the command line.
    pub id: String,
    /// What is done.
    pub scenario: Arc<Scenario>,
}

/// What is run, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which scenarios.
    pub chosen: Vec<Chosen>,
    /// How many at the same time.
    pub jobs: usize,
    /// How often each.
    pub repeat: usize,
    /// The seed of their order; without it they come as they are.
    pub seed: Option<u64>,
    /// Failures that are expected.
    pub baseline: Baseline,
    /// Whether the first failure that nobody expects ends it all.
    pub fail_fast: bool,
    /// The longest that one may take, in place of what it says itself.
    pub timeout: Option<Duration>,
}

/// How a scenario ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The promise is kept.
    Passed,
    /// It is not, or it could not be seen whether it is.
    Failed(Box<Failure>),
    /// It says nothing about this server, for this reason.
    NotApplicable(String),
    /// It was not run, for this reason.
    NotRun(String),
}

impl Verdict {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(failure) if failure.could_not_run => "broken",
            Self::Failed(_) => "failed",
            Self::NotApplicable(_) => "not_applicable",
            Self::NotRun(_) => "not_run",
        }
    }
}

/// One run of one scenario.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which scenario.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its number among the runs, from 1.
    pub round: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A scenario begins.
    Started {
        /// Which.
        id: &'a str,
    },
    /// A scenario has ended.
    Finished(&'a Outcome),
}

/// Runs a plan, and tells what happens. `stop` ends it early: what runs is ended and what is left is not run.
pub async fn run(
    plan: &Plan,
    target: Arc<Target>,
    facts: &Facts,
    stop: &CancellationToken,
    mut report: impl FnMut(Event<'_>),
) -> Vec<Outcome> {
    let mut queue = queue(plan);
    let jobs = plan.jobs.clamp(1, target.most_jobs());
    let stop = stop.child_token();
    let (mut running, mut done) = (JoinSet::new(), Vec::with_capacity(queue.len()));
    loop {
        while running.len() < jobs
            && let Some((chosen, round)) = queue.pop_front()
        {
            let not_run = stop.is_cancelled().then(|| Verdict::NotRun("the run was stopped before it".to_owned()));
            let verdict =
                not_run.or_else(|| target.not_applicable(&chosen.scenario, facts).map(Verdict::NotApplicable));
            if verdict.is_none() {
                report(Event::Started { id: &chosen.id });
            }
            let timeout = plan.timeout.or(chosen.scenario.timeout.map(|time| time.0)).unwrap_or(SCENARIO_TIME);
            let one = One { target: target.clone(), chosen, timeout, stop: stop.clone() };
            running.spawn(one.run(round, verdict));
        }
        match running.join_next().await {
            Some(Ok(outcome)) => {
                let failed = matches!(outcome.verdict, Verdict::Failed(_));
                if plan.fail_fast && failed && !plan.baseline.expects(&outcome.id) {
                    stop.cancel();
                }
                report(Event::Finished(&outcome));
                done.push(outcome);
            }
            // A scenario catches its own panics; nothing else can end it.
            Some(Err(_)) => {}
            None => return done,
        }
    }
}

fn queue(plan: &Plan) -> VecDeque<(Chosen, usize)> {
    let rounds = (1..=plan.repeat.max(1)).flat_map(|round| plan.chosen.iter().map(move |one| (one.clone(), round)));
    let mut all: Vec<_> = rounds.collect();
    if let Some(seed) = plan.seed {
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
    }
    all.into()
}

/// One scenario about to run.
struct One {
    target: Arc<Target>,
    chosen: Chosen,
    timeout: Duration,
    stop: CancellationToken,
}

impl One {
    async fn run(self, round: usize, verdict: Option<Verdict>) -> Outcome {
        let began = Instant::now();
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => self.staged().await,
        };
        let Chosen { id, scenario } = self.chosen;
        Outcome { id, name: scenario.name.clone(), round, verdict, took: began.elapsed() }
    }

    /// On a stage that is gone afterwards, however it ends.
    async fn staged(&self) -> Verdict {
        let scratch = match stage::scratch(&self.target).await {
            Ok(scratch) => scratch,
            Err(error) => return Verdict::Failed(Failure::broken(error.to_string())),
        };
        let played = async {
            let began = Instant::now();
            let opening = Stage::open(&self.target, &self.chosen.scenario, scratch.as_ref());
            let stage = tokio::select! {
                opened = tokio::time::timeout(self.timeout, opening) => match opened {
                    Ok(opened) => opened.map_err(|error| Failure::broken(error.to_string()))?,
                    Err(_) => return Err(self.too_late("while its server started".to_owned(), Vec::new())),
                },
                () = self.stop.cancelled() => return Ok(Verdict::NotRun(ENDED_WHILE_IT_RAN.to_owned())),
            };
            let player = Player::new(&stage, &self.chosen.scenario);
            let left = self.timeout.saturating_sub(began.elapsed());
            let ended = tokio::select! {
                ended = tokio::time::timeout(left, player.play()) => Some(ended),
                () = self.stop.cancelled() => None,
            };
            if matches!(*self.target, Target::Url { .. }) {
                player.tidy().await;
            }
            match ended {
                None => Ok(Verdict::NotRun(ENDED_WHILE_IT_RAN.to_owned())),
                Some(Ok(outcome)) => outcome.map(|()| Verdict::Passed),
                Some(Err(_)) => Err(self.too_late(player.now_at(), stage.log_tail(15).await)),
            }
        };
        let verdict = match std::panic::AssertUnwindSafe(played).catch_unwind().await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(failure)) => Verdict::Failed(failure),
            Err(_) => Verdict::Failed(Failure::broken("selftest itself broke; its message is above")),
        };
        match (scratch, verdict) {
            (Some(scratch), verdict) => match (scratch.remove().await, verdict) {
                (Err(error), Verdict::Passed) => Verdict::Failed(Failure::broken(error.to_string())),
                (_, verdict) => verdict,
            },
            (None, verdict) => verdict,
        }
    }

    fn too_late(&self, step: String, log: Vec<String>) -> Box<Failure> {
        let message = format!("the scenario takes longer than {}", humantime::format_duration(self.timeout));
        Box::new(Failure { step, log, ..*Failure::wrong(message) })
    }
}
