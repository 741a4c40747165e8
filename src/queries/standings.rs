//! How many sessions stand where, and who has many of them open.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::store::StoreError;
pub use crate::store::reports::standings::{Ended, Living};

/// A session that was not used for so long is idle.
pub const IDLE_AFTER: Duration = Duration::from_mins(5);
/// A client of one user with so many open sessions is one to look at.
pub const CROWD: i64 = 20;

/// How many sessions stand where: `{"active": 12, "idle": 3, "disconnected": 40, "expired": 7}`. The idle ones are among
/// the active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// A server would accept them.
    pub active: i64,
    /// Those of them that were not used for [`IDLE_AFTER`].
    pub idle: i64,
    /// Somebody ended them.
    pub disconnected: i64,
    /// Their time is over.
    pub expired: i64,
}

impl Counts {
    /// Of what has not ended and what has.
    pub fn of(living: Living, ended: Ended) -> Self {
        let expired = ended.expired + living.past;
        Self { active: living.alive, idle: living.idle, disconnected: ended.disconnected, expired }
    }

    /// All of them.
    pub fn all(self) -> i64 {
        self.active + self.disconnected + self.expired
    }
}

/// A client of one user with many open sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The client's type.
    pub client_type: String,
    /// Whose; empty if unknown.
    pub user_name: String,
    /// How many.
    pub sessions: i64,
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
        self.store.living(&moment, moment.now.minus(IDLE_AFTER)).await
    }

    /// Clients of one user that have [`CROWD`] open sessions or more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn crowds(&self) -> Result<Vec<Crowd>, StoreError> {
        let moment = self.moment().await?;
        let rows = self.store.crowds(&moment, CROWD).await?;
        let crowd = |row: crate::store::reports::standings::Crowd| Crowd {
            client_type: row.client_type,
            user_name: row.user_name,
            sessions: row.sessions,
        };
        Ok(rows.into_iter().map(crowd).collect())
    }
}
