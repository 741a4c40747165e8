//! The life of a session: opened, validated, bound, touched, reaped, recovered.

mod recent;
pub mod status;

use std::time::Duration;

use crate::model::clock::Clock;
use crate::store::Store;
use recent::StatusCache;
use status::Status;

/// The sessions of one running server.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    policy: Policy,
    recent: StatusCache,
}

/// The rules that the operator chose.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A session that is not used for longer than this ends.
    pub timeout: Duration,
}

impl Sessions {
    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What `/health` and the tools say of this server.
    pub async fn status(&self) -> Status {
        Status::default()
    }

    /// The same, no older than a second or so: at most one read a second, however many ask.
    pub async fn recent_status(&self) -> Status {
        self.recent.recent(&self.clock, || self.status()).await
    }

    /// Sessions that only tools look at.
    #[cfg(test)]
    pub(crate) fn for_tools(store: Store, clock: Clock, policy: Policy) -> Self {
        Self { store, clock, policy, recent: StatusCache::default() }
    }
}
