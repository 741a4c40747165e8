//! Read models for people: what the list, the statistics and the dashboard show, computed once, so that they never
//! disagree. The SQL is [`crate::store::reports`]'.
//!
//! The types are the JSON that operators get: field names are its names, version 1 of its shape. A later version may add
//! members; times are RFC 3339 in UTC, units stand in names, ids are whole.

pub mod boots;
pub mod clients;
pub mod columns;
mod end;
pub mod events;
pub mod find;
pub mod latest;
pub mod minutes;
pub mod percentiles;
pub mod requests;
pub mod sessions;
pub mod standings;
pub mod story;
pub mod trends;
pub mod usage;
pub mod window;

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::model::clock::Clock;
use crate::store::reports::alive::Moment;
use crate::store::{Store, StoreError};

/// A store to look at, and a clock that goes by its time.
#[derive(Debug, Clone)]
pub struct Queries {
    store: Store,
    clock: Clock,
    /// The moment that all answers are of, once one was asked for.
    still: Option<Arc<OnceCell<Moment>>>,
}

/// A clock that goes by a store's time, for a command: a server has one already.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn clock_of(store: &Store) -> Result<Clock, StoreError> {
    let clock = Clock::default();
    if let Some(offset) = store.clock_offset(&clock).await? {
        clock.shift(offset);
    }
    Ok(clock)
}

impl Queries {
    /// Looks at a store, by a clock that goes by its time: see [`clock_of`].
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, still: None }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// From here on the answers are of one moment, until this is called again: they agree with each other, and what the
    /// moment is has to be read only once.
    pub fn stand_still(&mut self) {
        self.still = Some(Arc::default());
    }

    /// Now, with what tells rows that are alive from rows that are over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn moment(&self) -> Result<Moment, StoreError> {
        let now = async || self.store.moment(self.clock.now()).await;
        match &self.still {
            Some(moment) => moment.get_or_try_init(now).await.cloned(),
            None => now().await,
        }
    }
}
