//! What a transport hands in: one body, and what stands around it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use crate::model::principal::Principal;
use crate::model::refused::Reason;
use crate::session::Refused;

/// One JSON-RPC message, or a batch of them, as it came.
#[derive(Debug)]
pub struct Incoming {
    /// Whose it is.
    pub principal: Principal,
    /// What stands around the body.
    pub head: Head,
    /// The message, unread.
    pub body: Bytes,
    /// In which form whoever sent it takes the answer.
    pub reads: Reads,
    /// Counted among those that are in flight until it is done, whoever still waits for it.
    pub in_flight: Option<InFlight>,
}

/// Who counts requests that are in flight.
pub trait Counts: Send + Sync {
    /// One of them is done.
    fn done(&self);
}

/// A request that counts among those in flight, until this is dropped.
pub struct InFlight(Arc<dyn Counts>);

impl InFlight {
    /// One that was counted there.
    pub fn of(counts: Arc<dyn Counts>) -> Self {
        Self(counts)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

/// What a message says outside of its body, in the headers where the transport has any; and where it came from.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The session that it names.
    pub session: SessionName,
    /// The Archon session that it names.
    pub archon: Option<String>,
    /// The revision that it names.
    pub version: Version,
    /// Where it came from, where that is an address.
    pub address: Option<IpAddr>,
    /// The program that sent it, by its own word.
    pub program: Option<HeaderValue>,
}

impl Head {
    /// A refusal of what stands below it, as it is noted.
    pub fn refused<'a>(&'a self, reason: Reason, principal: &'a str, fact: &'a str) -> Refused<'a> {
        let session = match &self.session {
            SessionName::Named(id) => id.as_str(),
            SessionName::None | SessionName::Two => "",
        };
        let program = self.program.as_ref().and_then(|program| program.to_str().ok()).unwrap_or_default();
        Refused { reason, session, principal, address: self.address, program, fact }
    }
}

/// The session that a message names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SessionName {
    /// None.
    #[default]
    None,
    /// This one.
    Named(String),
    /// Two that differ: a mistake that nobody should guess about.
    Two,
}

/// The revision that a message names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// None, or one that we speak.
    #[default]
    Spoken,
    /// One without sessions.
    Modern,
    /// One that nobody speaks.
    Unknown,
}

/// In which form an answer is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// One answer and nothing before it.
    AnswerAlone,
    /// Messages before the answer, too. A client that waits in silence for this long gets a stream that is kept alive; where
    /// that is `None`, a stream begins only when there is a message.
    Stream(Option<Duration>),
}
