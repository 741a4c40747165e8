//! HTTP: routes, headers, status codes, SSE. What a method means is decided one floor below.

mod accepts;
mod activity;
mod admit;
mod authority;
mod body;
mod connection_io;
mod connections;
mod cors;
mod delete;
mod events;
mod gauges;
mod get;
mod guard;
mod head;
mod headers;
mod health;
mod home;
mod limits;
mod listen;
mod metered;
mod metrics;
mod oauth;
mod origin;
mod patterns;
mod post;
pub mod principals;
mod refusal;
mod reply;
mod reread;
mod route;
mod token_file;
mod turn;
mod vitals;
mod wire;

use std::sync::Arc;

pub use guard::HostRules;
pub use limits::Limits;
pub use listen::{Shutdown, run};
pub use origin::OriginPattern;
pub use patterns::{HostPattern, PatternError};
pub use principals::Principals;
pub use token_file::TokenFileError;
pub use wire::Listener;

use crate::mcp::Engine;
use crate::model::warned::Warned;
use connections::Connections;
use limits::Shares;
use principals::Readings;

/// What one server's routes share.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    hosts: HostRules,
    warned: Warned,
    principals: Readings,
    limits: Limits,
    shares: Arc<Shares>,
    connections: Arc<Connections>,
}

impl App {
    /// The routes of one engine.
    pub fn new(engine: Arc<Engine>, hosts: HostRules, principals: Principals, limits: Limits) -> Arc<Self> {
        let principals = Readings::new(principals);
        let shares = Shares::new(&limits, engine.sessions().limits().clone());
        let connections = Connections::new(limits.connections);
        let warned = Warned::default();
        Arc::new(Self { engine, hosts, warned, principals, limits, shares, connections })
    }

    fn is_draining(&self) -> bool {
        self.engine.sessions().is_draining()
    }
}
