//! The database's clock.

use std::time::{Duration, Instant};

use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{Dialect, read};
use crate::store::{Store, StoreError};

/// How long to wait while a clock stands still.
const STILL: Duration = Duration::from_millis(20);

impl Store {
    /// How far PostgreSQL's clock is ahead of ours, in milliseconds; `None` on SQLite, which has no clock of its own. Half of
    /// the way there and back is taken for the way back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock_offset(&self, clock: &Clock) -> Result<Option<i64>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let (before, asked) = loop {
            match clock.read() {
                Some(read) => break (read, Instant::now()),
                None => tokio::time::sleep(STILL).await,
            }
        };
        let theirs: Timestamp = read!(self, db => sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(db).await)?;
        let took = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
        let offset = before.behind(theirs, took / 2);
        // Less than the way there and back may be nothing but the way.
        Ok(Some(if offset.abs() <= took.max(5) { 0 } else { offset }))
    }
}
