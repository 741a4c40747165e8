//! How long a request may take, and whether it is sent again.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info};
use uuid::Uuid;

use super::backoff::{Backoff, LONG, next_delay};
use super::error::{ClientError, Stage};
use super::questions::Open;
use super::tool::Repeat;

/// No wait is longer; it keeps the sum with the present inside what a clock can hold.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// How long a busy server may take before the user is told that we wait.
const A_MOMENT: Duration = Duration::from_secs(1);

/// A moment after which nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    allowed: Duration,
    /// Whether it holds even for a server that waits for us.
    is_firm: bool,
}

impl Deadline {
    pub(super) fn after(allowed: Duration) -> Self {
        Self { at: Instant::now() + allowed.min(LONGEST_WAIT), allowed, is_firm: true }
    }

    /// The same, moved by the time in which the server waits for an answer of ours.
    pub(super) fn but_for_answers(self) -> Self {
        Self { is_firm: false, ..self }
    }

    /// The same, or `end` if that is earlier.
    pub(super) fn not_beyond(self, end: Option<Instant>) -> Self {
        Self { at: end.map_or(self.at, |end| end.min(self.at)), ..self }
    }

    /// Waits for a future until this moment; `place` is whom the error names.
    pub(super) async fn bound<T>(
        self,
        place: &str,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let late = || ClientError::Timeout { place: place.to_owned(), after: self.allowed };
        timeout_at(self.at, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// The same, but that the time does not count, unless the moment is firm, in which questions of the server are open.
    /// Progress of the work moves nothing: a server that says for ever how far it is would never be given up.
    pub(super) async fn bound_but_for<T>(
        mut self,
        mut open: watch::Receiver<Open>,
        place: &str,
        mut work: impl Future<Output = Result<T, ClientError>> + Unpin,
    ) -> Result<T, ClientError> {
        loop {
            let (began, counts) = (Instant::now(), self.is_firm || open.borrow_and_update().is_empty());
            tokio::select! {
                done = &mut work => return done,
                () = sleep_until(self.at), if counts => {
                    return Err(ClientError::Timeout { place: place.to_owned(), after: self.allowed });
                }
                Ok(()) = open.changed() => {}
            }
            if !counts {
                self.at += began.elapsed();
            }
        }
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts {
    backoff: Backoff,
    repeat: Repeat,
    deadline: Deadline,
    failures: u32,
    waited: Duration,
    is_said: bool,
}

impl Attempts {
    pub(super) fn new(backoff: Backoff, repeat: Repeat, deadline: Deadline) -> Self {
        Self { backoff, repeat, deadline, failures: 0, waited: Duration::ZERO, is_said: false }
    }

    /// Returns when it is time for the next attempt, or with the error when there is none.
    pub(super) async fn after(&mut self, error: ClientError) -> Result<(), ClientError> {
        // The first byte of a random UUID is jitter enough.
        let jitter = Uuid::new_v4().as_bytes()[0];
        let delay = next_delay(&self.backoff, self.failures, retry_after(&error), jitter);
        self.failures += 1;
        // With no time left for another attempt, this error tells more than "no answer in time" would.
        let in_time = Instant::now() + delay < self.deadline.at;
        if !is_passing(&error, self.repeat) || self.failures >= self.backoff.attempts || !in_time {
            return Err(error);
        }
        self.say(&error, delay);
        sleep(delay).await;
        Ok(())
    }
}

impl Attempts {
    /// That it goes on: as a note where it may take long, once. A busy server is mostly free again before anybody wonders.
    fn say(&mut self, error: &ClientError, delay: Duration) {
        debug!(attempt = self.failures, "{error}; trying again in {delay:?}");
        self.waited += delay;
        let left = self.deadline.at.saturating_duration_since(Instant::now());
        let longest = self.backoff.longest().min(left);
        let is_down = matches!(error, ClientError::Connection { .. });
        if !self.is_said && longest > LONG && (is_down || self.waited > A_MOMENT) {
            info!("{error}; trying again for up to {}s (--retries 0 does not wait)", longest.as_secs());
            self.is_said = true;
        }
    }
}

/// Whether an error may be gone by the next attempt, and that attempt does no harm.
fn is_passing(error: &ClientError, repeat: Repeat) -> bool {
    match error {
        ClientError::Connection { stage: Stage::BeforeSending, .. } => true,
        ClientError::Connection { stage: Stage::Midway, .. } => repeat == Repeat::Allowed,
        ClientError::Http { status, may_have_run, .. } => {
            matches!(status, 429 | 503) && (!may_have_run || repeat == Repeat::Allowed)
        }
        _ => false,
    }
}

fn retry_after(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Http { retry_after, .. } => *retry_after,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn broken(stage: Stage) -> ClientError {
        ClientError::Connection { place: String::new(), stage, cause: String::new() }
    }

    fn refused(status: u16, retry_after: Option<Duration>) -> ClientError {
        ClientError::Http { status, message: String::new(), hint: None, retry_after, may_have_run: false }
    }

    fn answered(status: u16) -> ClientError {
        ClientError::Http { status, message: String::new(), hint: None, retry_after: None, may_have_run: true }
    }

    #[test]
    fn repeats_only_what_is_safe() {
        for (error, repeat, passing) in [
            (broken(Stage::BeforeSending), Repeat::Never, true),
            (broken(Stage::Midway), Repeat::Never, false),
            (broken(Stage::Midway), Repeat::Allowed, true),
            (refused(503, None), Repeat::Never, true),
            (refused(429, None), Repeat::Never, true),
            (refused(500, None), Repeat::Allowed, false),
            (answered(503), Repeat::Never, false),
            (answered(429), Repeat::Never, false),
            (answered(503), Repeat::Allowed, true),
            (answered(500), Repeat::Allowed, false),
            (ClientError::Session { message: String::new(), hint: None, reopened: false }, Repeat::Allowed, false),
        ] {
            assert_eq!(is_passing(&error, repeat), passing, "{error} {repeat:?}");
        }
    }

    #[tokio::test]
    async fn gives_up_at_once_when_the_wait_would_outlast_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(20));
        let mut patience = Attempts::new(Backoff::default(), Repeat::Never, deadline);
        let error = patience.after(refused(503, Some(Duration::from_secs(25)))).await;
        assert!(matches!(error, Err(ClientError::Http { status: 503, .. })));
    }

    #[tokio::test]
    async fn the_time_that_our_answers_take_does_not_count_unless_it_was_said_how_long() {
        for (is_open, is_firm, outlasts) in [(false, false, false), (true, false, true), (true, true, false)] {
            let questions = watch::Sender::new(Open::new());
            if is_open {
                let answering = tokio::spawn(std::future::pending::<()>()).abort_handle();
                let id = RawValue::from_string("1".to_owned()).expect("JSON");
                questions.send_modify(|open| _ = open.insert(0, (id, answering)));
            }
            let deadline = Deadline::after(Duration::from_millis(30));
            let deadline = if is_firm { deadline } else { deadline.but_for_answers() };
            let work = Box::pin(std::future::pending::<Result<(), _>>());
            let mut bound = Box::pin(deadline.bound_but_for(questions.subscribe(), "x", work));
            let ended = tokio::time::timeout(Duration::from_millis(300), &mut bound).await.is_ok();
            assert_ne!(ended, outlasts, "open {is_open}, firm {is_firm}");
            if !ended {
                questions.send_modify(Open::clear);
                assert!(matches!(bound.await, Err(ClientError::Timeout { .. })), "it counts again");
            }
        }
    }

    #[tokio::test]
    async fn a_deadline_may_be_as_far_as_one_likes() {
        let done = Deadline::after(Duration::MAX).bound("x", async { Ok(1) }).await;
        assert!(matches!(done, Ok(1)));
    }
}
