//! Once a second the touches of sessions and the sums of committed rows are written: what nobody holds, whoever holds the
//! rest.

use std::time::Duration;

use super::Totals;
use super::fold::InHand;
use super::touches::Touches;
use super::writing::Flush;
use crate::store::backend::order::ROW_PATIENCE;
use crate::store::backend::{StoreError, Work};

/// How long sums wait for rows that are known to be held.
const MOMENT: Duration = Duration::from_millis(100);

/// What became of a flush.
#[derive(Default)]
struct Flushed {
    /// Touches of rows that somebody holds.
    left: Touches,
    /// The sums wait for such rows.
    sums_wait: bool,
}

impl Totals {
    /// Writes touches and the sums of committed rows, in one transaction with the mark up to which they reach.
    ///
    /// Where somebody holds rows of sessions, the touches of all others are written; those that have to wait are returned,
    /// and sums wait if they have counted in such a session.
    ///
    /// # Errors
    /// On any error the sums are kept for the next flush, and touches that were not written come back to the caller.
    pub async fn flush(&self, boot: i64, touches: Touches) -> Result<Touches, (StoreError, Touches)> {
        let mut reached = self.fold.reached.lock().await;
        let in_hand = self.fold.take();
        if in_hand.sums.seq() == 0 && touches.is_empty() {
            // With nothing to write nothing is known.
            return Ok(touches);
        }
        let outcome = if reached.is_held {
            self.flush_around(boot, touches, in_hand, &mut reached.mark).await
        } else {
            self.flush_whole(boot, touches, in_hand, &mut reached.mark).await
        };
        match outcome {
            Ok(Flushed { left, sums_wait }) => {
                self.outage.note(Work::Sums, Ok(()));
                reached.is_held = sums_wait || !left.is_empty();
                if reached.is_held {
                    self.held.note_held(Work::Sums, left.any().as_deref());
                } else {
                    self.held.note_free(Work::Sums);
                }
                Ok(left)
            }
            Err((error, touches)) => {
                self.outage.note(Work::Sums, Err(&error));
                Err((error, touches))
            }
        }
    }

    /// Waits for rows that somebody holds, as one does for a moment.
    async fn flush_whole(
        &self,
        boot: i64,
        touches: Touches,
        in_hand: InHand<'_>,
        mark: &mut i64,
    ) -> Result<Flushed, (StoreError, Touches)> {
        match self.write_and_mark((boot, ROW_PATIENCE), &touches, in_hand, mark).await {
            Ok(()) => Ok(Flushed::default()),
            Err(StoreError::Held(_)) => {
                let left = self.touch_free(touches).await?;
                Ok(Flushed { left, sums_wait: true })
            }
            Err(error) => Err((error, touches)),
        }
    }

    /// The same while it is known that somebody holds rows: nobody else waits for those.
    async fn flush_around(
        &self,
        boot: i64,
        touches: Touches,
        in_hand: InHand<'_>,
        mark: &mut i64,
    ) -> Result<Flushed, (StoreError, Touches)> {
        let left = self.touch_free(touches).await?;
        match self.write_and_mark((boot, MOMENT), &Touches::default(), in_hand, mark).await {
            Ok(()) => Ok(Flushed { left, sums_wait: false }),
            Err(StoreError::Held(_)) => Ok(Flushed { left, sums_wait: true }),
            Err(error) => Err((error, left)),
        }
    }

    /// Writes touches and sums. On an error the touches may be written: to write them once more changes nothing.
    async fn write_and_mark(
        &self,
        (boot, patience): (i64, Duration),
        touches: &Touches,
        in_hand: InHand<'_>,
        mark: &mut i64,
    ) -> Result<(), StoreError> {
        let flush = Flush { boot, from: *mark, sums: &in_hand.sums, touches, patience };
        if flush.is_empty() {
            return Ok(());
        }
        if self.write_sums(&flush).await? {
            *mark = in_hand.sums.seq().max(*mark);
            in_hand.arrived();
        } else {
            // The mark is not where we left it: the answer to an earlier COMMIT was lost, or others took this boot for
            // dead and folded its rows. The rows know.
            *mark = self.fold_from_table(boot, in_hand).await?;
        }
        Ok(())
    }

    /// Writes the touches of rows that nobody holds; returns the others.
    async fn touch_free(&self, touches: Touches) -> Result<Touches, (StoreError, Touches)> {
        if touches.is_empty() {
            return Ok(touches);
        }
        match self.write_touches_of_free(&touches).await {
            Ok(left) => Ok(left),
            // No row is waited for any more: somebody holds more than rows.
            Err(StoreError::Held(reason)) => Err((StoreError::Unavailable(reason), touches)),
            Err(error) => Err((error, touches)),
        }
    }
}
