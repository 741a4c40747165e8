//! What a server does with a method.

mod begun;
mod call;
mod capture;
mod initialize;
mod meter;
mod record;
mod recorded;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use begun::Begun;
pub use capture::Capture;
pub use meter::Meter;
pub use record::Tracking;
pub use recorded::Recorded;

use crate::model::principal::Principal;
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::frame::{Notification, Request};
use crate::protocol::reply;
use crate::session::{Live, Sessions};
use crate::tools::ToolSet;
use record::Handled;

/// The methods of one server.
#[derive(Debug)]
pub struct Engine {
    sessions: Arc<Sessions>,
    tools: ToolSet,
    tracking: Tracking,
    patience: Patience,
    meter: Meter,
    /// Fires when the grace of a stop is over: running calls are cut short.
    cut: CancellationToken,
}

/// For how long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A tool that runs longer is cancelled, and its client gets an `isError` answer.
    pub tool: Duration,
    /// The longest that an answer waits for the commit of its row.
    pub commit: Duration,
}

/// Who asks.
#[derive(Debug)]
pub struct Caller {
    /// The protocol session, valid.
    pub live: Arc<Live>,
    /// Whose request it is.
    pub principal: Principal,
    /// `X-Archon-Session-Id`, as sent.
    pub archon: Option<String>,
    /// Where the request tells how far it has come.
    pub begun: Arc<Begun>,
}

/// An answer to a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// The JSON-RPC response.
    pub body: Vec<u8>,
    /// The protocol session, when the request opened it.
    pub session: Option<Arc<str>>,
    /// The Archon session that the request belongs to.
    pub archon: Option<Uuid>,
    /// Where the request's row was when the answer left.
    pub recorded: Recorded,
    /// The tool panicked: over HTTP that is a 500, with this body.
    pub broke: bool,
}

/// The database does not keep up with its rows: nothing was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl Engine {
    /// The methods over these sessions and tools.
    pub fn new(sessions: Arc<Sessions>, tools: ToolSet, tracking: Tracking, patience: Patience) -> Self {
        Self { sessions, tools, tracking, patience, meter: Meter::default(), cut: CancellationToken::new() }
    }

    /// The sessions.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What has been counted.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Ends the calls that still run; each is answered and recorded as cut.
    pub fn cut_short(&self) {
        self.cut.cancel();
    }

    /// Answers a request other than `initialize`.
    ///
    /// # Errors
    /// [`Busy`] before anything was run.
    pub async fn answer(&self, caller: &Caller, request: &Request<'_>) -> Result<Answer, Busy> {
        match &*request.method {
            "tools/call" => self.call(caller, request).await,
            "ping" => {
                self.meter.count("ping", None, RequestStatus::Success, Duration::ZERO);
                let body = reply::result(request.id, &Empty {});
                Ok(Answer { body, archon: Some(caller.live.archon_id()), ..Answer::default() })
            }
            "tools/list" => {
                let begin = self.begin(caller)?;
                let body = reply::result(request.id, self.tools.list(caller.live.revision));
                Ok(self.finish(caller, begin, "tools/list", None, body).await)
            }
            _ => {
                let begin = self.begin(caller)?;
                let way_out = "this server has initialize, ping, tools/list and tools/call";
                let fact = format!("no such method: {}", shortened(&request.method));
                let error = ErrorBody::told(METHOD_NOT_FOUND, fact, way_out).because("unknown_method", way_out);
                let body = reply::error(Some(request.id.get()), &error);
                // Any text can be a method: one label for all that are none, or the metrics would grow without bound.
                Ok(self.finish(caller, begin, "(other)", Some(shortened(&request.method)), body).await)
            }
        }
    }

    /// Takes note of a notification.
    pub fn notice(&self, caller: &Caller, note: &Notification<'_>) {
        if note.method == "notifications/cancelled"
            && let Some(cancelled) = note.params.and_then(|params| Cancelled::deserialize(params).ok())
        {
            let count = caller.live.cancel(cancelled.request_id.get());
            tracing::debug!(session = %caller.live.id, request = %cancelled.request_id, count, "cancelled by the client");
        }
    }

    /// Whether a row that is queued now will be written: nothing is run whose row would be given up.
    fn admits(&self) -> Result<(), Busy> {
        let grace = self.sessions.policy().store_grace;
        if !self.tracking.on || self.sessions.store().writer().admits(grace) { Ok(()) } else { Err(Busy) }
    }

    /// A request that runs no tool begins: it belongs to the session's own Archon session.
    fn begin(&self, caller: &Caller) -> Result<Begin, Busy> {
        self.admits()?;
        let (received, at) = (self.sessions.clock().now(), Instant::now());
        let existing = caller.live.archon().map(|archon| archon.id);
        let archon = existing.unwrap_or_else(|| caller.live.archon_id());
        caller.begun.tell(archon);
        Ok(Begin { received, at, existing, archon })
    }

    /// Records a request that ran no tool. One without such a method counts as failed.
    async fn finish(
        &self,
        caller: &Caller,
        begin: Begin,
        method: &'static str,
        unknown: Option<String>,
        body: Vec<u8>,
    ) -> Answer {
        let took = begin.at.elapsed();
        let status = if unknown.is_some() { RequestStatus::Error } else { RequestStatus::Success };
        self.meter.count(method, None, status, took);
        let commit = self
            .record(Handled {
                session_id: begin.existing,
                method: unknown.as_deref().unwrap_or(method),
                error: unknown.as_ref().map(|_| "no such method".to_owned()),
                duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
                ..Handled::of(&caller.live, begin.received, status)
            })
            .await;
        Answer { body, archon: Some(begin.archon), recorded: commit.into(), ..Answer::default() }
    }
}

/// The beginning of a request that runs no tool.
struct Begin {
    received: Timestamp,
    at: Instant,
    /// The Archon session of its row; none where it does not exist yet.
    existing: Option<Uuid>,
    /// The same, or the one that will adopt the row.
    archon: Uuid,
}

/// `params` of `notifications/cancelled`.
#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(rename = "requestId", borrow)]
    request_id: &'a RawValue,
}

/// `{}`.
#[derive(serde::Serialize)]
struct Empty {}

/// A name from outside, fit to be stored and shown.
fn shortened(name: &str) -> String {
    crate::model::text::clean(name, 100)
}
