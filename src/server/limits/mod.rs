//! How much of a server one client may take.

mod shares;
mod source;

use std::time::Duration;

pub(super) use shares::{Held, Share, Shares};
pub(super) use source::{Source, forwarded, network};

/// How much, and for how long, a stranger may use us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How long a request's head may be on its way, from the first moment of its connection or from its first byte.
    pub head_time: Duration,
    /// How long a connection is kept on which nothing happens.
    pub idle_time: Duration,
    /// How long a body may be on its way.
    pub body_time: Duration,
    /// How long an answer may wait for its client to read on.
    pub write_time: Duration,
    /// How many connections are open at once. Where there are as many, idle ones give way to new ones.
    pub connections: usize,
    /// The most bytes of requests that are on their way or being handled, of all clients together.
    pub requests_bytes: usize,
    /// How long a client that reads SSE waits in silence: after it, it gets a stream with keep-alives.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_mins(1),
            connections: 10_000,
            requests_bytes: 256 << 20,
            silence: Duration::from_secs(5),
        }
    }
}
