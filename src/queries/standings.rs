//! How many sessions stand where, and who has many of them in use.

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::store::StoreError;
pub use crate::store::reports::standings::{Crowd, Ended, Living};

/// How many sessions stand where: `{"active": 12, "idle": 3, "ended": 47, "disconnected": 40, "expired": 7}`. Active, idle
/// and ended ones are all of them; disconnected and expired ones have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Used within the session timeout, or a stream of theirs is open.
    pub active: i64,
    /// A server would accept them, but they are not.
    pub idle: i64,
    /// They have ended.
    pub ended: i64,
    /// Somebody ended them.
    pub disconnected: i64,
    /// Their time is over.
    pub expired: i64,
}

impl Counts {
    /// Of what has not ended and what has.
    pub fn of(living: Living, ended: Ended) -> Self {
        let (disconnected, expired) = (ended.disconnected, ended.expired + living.past);
        Self { active: living.active, idle: living.idle, ended: disconnected + expired, disconnected, expired }
    }

    /// Those that a server would accept.
    pub fn live(self) -> i64 {
        self.active + self.idle
    }

    /// All of them.
    pub fn all(self) -> i64 {
        self.live() + self.ended
    }
}

impl Queries {
    /// How many sessions have ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ended(&self) -> Result<Ended, StoreError> {
        self.store.ended().await
    }

    /// How many have not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn living(&self) -> Result<Living, StoreError> {
        let moment = self.moment().await?;
        self.store.living(&moment).await
    }

    /// Clients of one user that have at least that many sessions in use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn crowds(&self, at_least: i64) -> Result<Vec<Crowd>, StoreError> {
        let moment = self.moment().await?;
        self.store.crowds(&moment, at_least).await
    }
}
