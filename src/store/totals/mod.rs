//! Rows now, sums soon: which sessions were used and what committed rows add up to, written about once a second.

mod flush;
mod fold;
mod leftovers;
mod statements;
mod sums;
mod touches;
mod writing;

use std::sync::Arc;

use super::backend::{Backend, Held, Outage};

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

    fn backend(&self) -> &Backend {
        &self.backend
    }
}
