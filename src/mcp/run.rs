//! Whatever a request runs is watched: until it is done, out of time, cancelled or cut. A panic ends the request, not the
//! server.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::answered::Answered;
use super::{Caller, Engine};
use crate::catalog::ToolError;
use crate::model::request::RequestStatus;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, REFUSED};
use crate::session::{Archon, Running};
use crate::store::sessions::Ended;

/// How a run came out.
pub(super) enum Outcome<T> {
    Finished(Result<T, ToolError>),
    /// It ran longer than this.
    TimedOut(Duration),
    Cancelled,
    /// Its session was ended: by whom, and why.
    Revoked(Ended),
    CutShort,
    Panicked,
}

impl Engine {
    /// When what begins now is cancelled if it is not done.
    pub(super) fn deadline(&self, began: Instant) -> Instant {
        began.checked_add(self.timeouts.tool).unwrap_or(began)
    }

    /// A request begins to run; it keeps its session in use.
    pub(super) fn begin_run(&self, caller: &Caller, id: &str, archon: Option<&Arc<Archon>>) -> Running {
        let running = caller.visitor.runs().begin(id, archon);
        self.sessions.touch(caller.visitor.live(), archon);
        running
    }

    /// It has ended.
    pub(super) fn end_run(&self, caller: &Caller, running: Running, archon: Option<&Arc<Archon>>) {
        drop(running);
        self.sessions.touch(caller.visitor.live(), archon);
    }

    /// Waits for it.
    pub(super) async fn watch<T>(
        &self,
        caller: &Caller,
        running: &Running,
        work: BoxFuture<'_, Result<T, ToolError>>,
    ) -> Outcome<T> {
        let outcome = tokio::select! {
            // In this order: what is done at once, as most is, asks for no timer and registers with no token.
            biased;
            finished = AssertUnwindSafe(work).catch_unwind() => finished.map_or(Outcome::Panicked, Outcome::Finished),
            () = running.token().cancelled() => Outcome::Cancelled,
            () = self.cut.cancelled() => Outcome::CutShort,
            () = tokio::time::sleep(self.timeouts.tool) => Outcome::TimedOut(self.timeouts.tool),
        };
        // Its own answer to being cancelled does not say who ended the session.
        let outcome = match (outcome, caller.visitor.ended()) {
            (Outcome::Finished(Err(_)) | Outcome::Cancelled, Some(ended)) if running.token().is_cancelled() => {
                Outcome::Revoked(ended.clone())
            }
            (outcome, _) => outcome,
        };
        if !matches!(outcome, Outcome::Finished(_)) {
            // One that has handed work to a task of its own learns that nobody waits any more.
            running.token().cancel();
        }
        outcome
    }
}

impl<T> Outcome<T> {
    /// What it gave, or what is told instead.
    pub(super) fn finished(self, id: &RawValue) -> Result<Result<T, ToolError>, Answered> {
        Err(match self {
            Self::Finished(finished) => return Ok(finished),
            Self::TimedOut(limit) => {
                let message = format!("it did not finish within {limit:?} and was cancelled");
                let way_out = "ask for less, or have the server's operator raise --tool-timeout";
                let body = ErrorBody::told(REFUSED, &message, way_out).because("timeout", way_out);
                Answered { status: RequestStatus::Timeout, ..Answered::refused(id, &body, &message) }
            }
            Self::Cancelled => because(id, REFUSED, "the client cancelled the call", "cancelled"),
            Self::Revoked(ended) => revoked(id, &ended),
            Self::CutShort => because(id, REFUSED, "the server stopped before the tool had finished", "cut_short"),
            Self::Panicked => because(id, INTERNAL_ERROR, "the tool crashed in the server", "tool_panicked"),
        })
    }
}

fn because(id: &RawValue, code: i32, message: &'static str, reason: &'static str) -> Answered {
    let way_out = "the session is kept; call again if that is safe";
    Answered::refused(id, &ErrorBody::told(code, message, way_out).because(reason, way_out), message)
}

fn revoked(id: &RawValue, ended: &Ended) -> Answered {
    let message = format!("the session was ended by the {} ({}) while the call ran", ended.who(), ended.reason);
    let body = ErrorBody::told(REFUSED, &message, "reconnect the client, and call again if that is safe")
        .because("session_ended", "call initialize, and call again if that is safe");
    Answered::refused(id, &body, &message)
}
