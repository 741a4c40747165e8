//! Rows now, sums soon: which sessions were used and what committed rows add up to, written about once a second.

mod clients;
mod flush;
mod fold;
mod leftovers;
mod statements;
mod sums;
mod touches;
mod writing;

use std::sync::Arc;

use super::backend::{Backend, Held, Outage, StoreError, read};
use crate::model::timestamp::Timestamp;

pub(super) use fold::Fold;

pub use touches::{ArchonTouch, ProtocolTouch, Touches};

/// What is summed over rows, in memory and in the database.
#[derive(Debug)]
pub struct Totals {
    backend: Arc<Backend>,
    fold: Arc<Fold>,
    outage: Arc<Outage>,
    held: Arc<Held>,
}

impl Totals {
    pub(super) fn new(backend: Arc<Backend>, fold: Arc<Fold>, outage: Arc<Outage>, held: Arc<Held>) -> Self {
        Self { backend, fold, outage, held }
    }

    /// A boot begins on that day: names of clients that its sums tell apart already count among those of the day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn know_clients_of(&self, day: Timestamp) -> Result<(), StoreError> {
        // Bounded, because a start waits for it. Each client calls initialize, which comes early in the order of the key.
        let names = read!(self, db => sqlx::query_scalar(
            "SELECT DISTINCT client_type FROM ( \
                 SELECT client_type FROM archon_mcp_rollups_daily WHERE day = $1 ORDER BY day, method LIMIT 20000) d")
            .bind(day).fetch_all(db).await)?;
        self.fold.know_clients(day, names);
        Ok(())
    }

    fn backend(&self) -> &Backend {
        &self.backend
    }
}
