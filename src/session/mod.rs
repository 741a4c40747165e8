//! The life of a session: opened, validated, bound, touched, reaped, recovered.

pub mod status;

use std::time::Duration;

use crate::model::clock::Clock;
use crate::store::Store;
use status::Status;

/// The sessions of one running server.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    policy: Policy,
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
}
