//! What a server does with a message, whatever the transport.
//!
//! A transport hands in what it received ([`Incoming`]) and writes what comes back ([`Outgoing`]): an answer, or a stream of
//! messages before it. `dispatch` reads the envelope and finds whose session it is; `methods` has one file a method;
//! `legacy` what the era with sessions alone has; `run` watches what is called; `record` writes the row that the answer
//! waits for.

mod answer;
mod answered;
mod detached;
mod dispatch;
mod incoming;
mod legacy;
mod listen;
mod meter;
mod methods;
mod outbox;
mod outgoing;
mod plain;
mod record;
mod recorded;
mod refusal;
mod run;
mod stream;
mod tracking;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use answer::{Answer, AnswerKind};
pub use incoming::{Counts, Head, InFlight, Incoming, Reads, SessionName, Version};
pub use meter::Meter;
pub use outbox::Outlet;
pub use outgoing::Outgoing;
pub use recorded::Recorded;
pub use stream::{Said, Stream};
pub use tracking::Tracking;

use crate::catalog::{Current, Exchange};
use crate::model::principal::Principal;
use crate::session::{Sessions, Visitor};
use outbox::Outbox;

/// One server: its sessions, what can be called, and what is kept of calls.
#[derive(Debug)]
pub struct Engine {
    sessions: Arc<Sessions>,
    catalog: Arc<Current>,
    tracking: Tracking,
    timeouts: Timeouts,
    meter: Meter,
    outbox: Outbox,
    /// Calls whose client has hung up; they go on, and a stop waits for them.
    orphans: TaskTracker,
    /// Fires when the grace of a stop is over: running calls are cut short.
    cut: CancellationToken,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// A tool that runs longer is cancelled, and its client gets an `isError` answer.
    pub tool: Duration,
    /// The longest that an answer waits for the commit of its row.
    pub commit: Duration,
}

/// Who asks, and how it goes.
#[derive(Debug)]
struct Caller {
    visitor: Visitor,
    principal: Principal,
    /// `X-Archon-Session-Id`, as sent.
    archon: Option<String>,
    /// How far the request has come, and what it says before its answer.
    exchange: Arc<Exchange>,
}

/// The database does not keep up with its rows: nothing was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Busy;

impl Engine {
    /// A server of these sessions and this catalogue.
    pub fn new(sessions: Arc<Sessions>, catalog: Arc<Current>, tracking: Tracking, timeouts: Timeouts) -> Arc<Self> {
        Arc::new(Self {
            sessions,
            catalog,
            tracking,
            timeouts,
            meter: Meter::default(),
            outbox: Outbox::default(),
            orphans: TaskTracker::new(),
            cut: CancellationToken::new(),
        })
    }

    /// The sessions.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What has been counted.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How many streams are open that clients hear messages by.
    pub fn open_streams(&self) -> usize {
        self.outbox.streams()
    }

    /// The server is about to stop: no session is opened any more, and streams end.
    pub fn begin_draining(&self) {
        self.sessions.begin_draining();
        self.outbox.close();
    }

    /// Returns when the last call has ended whose client has hung up.
    pub async fn finish(&self) {
        self.orphans.close();
        self.orphans.wait().await;
    }

    /// Ends the calls that still run; each is answered and recorded as cut.
    pub fn cut_short(&self) {
        self.cut.cancel();
    }

    /// Whether a row that is queued now will be written: nothing is run whose row would be given up.
    fn admits(&self) -> Result<(), Busy> {
        let grace = self.sessions.policy().store_grace;
        if !self.tracking.on || self.sessions.store().writer().admits(grace) { Ok(()) } else { Err(Busy) }
    }
}

/// A name from outside, fit to be stored and shown.
fn shortened(name: &str) -> String {
    crate::model::text::name(name, 100)
}
