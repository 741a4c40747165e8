//! HTTP: routes, headers, status codes, SSE. What a method means is decided one floor below.

mod accepts;
mod activity;
mod admit;
mod authority;
mod body;
mod cors;
mod delete;
mod events;
mod get;
mod guard;
mod head;
mod headers;
mod health;
mod home;
mod listen;
mod metrics;
mod oauth;
mod origin;
mod patient;
mod patterns;
mod post;
pub mod principals;
mod refusal;
mod reply;
mod reread;
mod route;
mod strangers;
mod token_file;
mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use guard::HostRules;
pub use listen::{Shutdown, run};
pub use origin::OriginPattern;
pub use patterns::{HostPattern, PatternError};
pub use principals::Principals;
pub use token_file::TokenFileError;
pub use wire::Listener;

use crate::mcp::Engine;
use crate::model::warned::Warned;
use principals::Readings;
use strangers::Strangers;

/// What one server's routes share.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    hosts: HostRules,
    strangers: Strangers,
    warned: Warned,
    principals: Readings,
    limits: Limits,
}

/// How much, and for how long, a stranger may use us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// For how long a request's head may be on its way; also how long an idle connection is kept.
    pub head_time: Duration,
    /// For how long a body may be on its way.
    pub body_time: Duration,
    /// For how long an answer may wait for its client to read on.
    pub write_time: Duration,
    /// How many connections are open at once; more wait to be accepted.
    pub connections: usize,
    /// How long a client that reads SSE waits in silence: after it, it gets a stream with keep-alives.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            head_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            write_time: Duration::from_mins(1),
            connections: 10_000,
            silence: Duration::from_secs(5),
        }
    }
}

impl App {
    /// The routes of one engine.
    pub fn new(engine: Arc<Engine>, hosts: HostRules, principals: Principals, limits: Limits) -> Arc<Self> {
        let principals = Readings::new(principals);
        let (strangers, warned) = (Strangers::default(), Warned::default());
        Arc::new(Self { engine, hosts, strangers, warned, principals, limits })
    }

    fn is_draining(&self) -> bool {
        self.engine.sessions().is_draining()
    }
}
