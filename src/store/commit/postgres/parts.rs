//! A batch that cannot be written whole: what somebody holds waits, what the database refuses is left out, and all else is
//! written.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::held_rows::held_rows;
use super::sink::PgSink;
use super::statement::{Entry, entries, execute_all, statements_for};
use crate::store::backend::StoreError;
use crate::store::backend::order::{self, Tries};
use crate::store::commit::aside::{HeldRows, concerned};
use crate::store::commit::batch::{Batch, Outcome};

/// How long a part waits for what somebody holds, once rows that are held were looked for: each half of it waits again.
const MOMENT: Duration = Duration::from_millis(20);
/// How many writes may be found to be held by waiting for them. Where there are more, somebody holds more than rows.
const MOST_WAITED_FOR: usize = 8;

/// A batch on its way.
struct Parts<'a> {
    boot: i64,
    /// Those that are to be written. The part on top comes first in the batch: rows lean on earlier ones.
    ahead: Vec<Vec<Entry<'a>>>,
    held: HeldRows,
    outcomes: Vec<Outcome>,
    waited_for: usize,
    /// Nothing may be put off: what may be stored already keeps its number, and with it its place.
    in_doubt: bool,
}

impl PgSink {
    /// Somebody holds rows that the batch needs: what needs them is put off. The database refuses something in it: halves
    /// of it get a savepoint each, and halves of the bad half, until only the bad rows are left out.
    pub(super) async fn write_part_by_part(
        &mut self,
        batch: &Batch,
        tries: &mut Tries,
    ) -> Result<Vec<Outcome>, StoreError> {
        let in_doubt = self.in_doubt;
        let mut transaction = self.line.begin(tries).await?;
        let mut parts = Parts::of(batch, in_doubt);
        if !in_doubt {
            parts.held = held_rows(&mut transaction, batch.writes.iter().map(|queued| &queued.write)).await?;
            transaction.execute(AssertSqlSafe(order::wait_for(MOMENT))).await?;
        }
        parts.write(&mut transaction).await?;
        self.in_doubt = true;
        transaction.commit().await?;
        Ok(parts.outcomes)
    }
}

impl<'a> Parts<'a> {
    fn of(batch: &'a Batch, in_doubt: bool) -> Self {
        Self {
            boot: batch.boot,
            ahead: vec![entries(batch)],
            held: HeldRows::default(),
            outcomes: batch.writes.iter().map(|_| Ok(())).collect(),
            waited_for: 0,
            in_doubt,
        }
    }

    async fn write(&mut self, transaction: &mut PgConnection) -> Result<(), StoreError> {
        while let Some(part) = self.ahead.pop() {
            let part = self.put_off(part);
            if part.is_empty() {
                continue;
            }
            let mut savepoint = transaction.begin().await?;
            match execute_all(&mut savepoint, &statements_for(&part, self.boot)).await {
                Ok(()) => savepoint.commit().await?,
                Err(error @ StoreError::Data(_)) => {
                    savepoint.rollback().await?;
                    self.without(part, error)?;
                }
                Err(error @ StoreError::Held(_)) if !self.in_doubt => {
                    savepoint.rollback().await?;
                    self.without(part, error)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What of a part is to be written now: the rest waits for rows that somebody holds.
    fn put_off(&mut self, mut part: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
        if !self.held.is_empty() {
            part.retain(|entry| {
                let waits = self.held.puts_off(entry.write);
                if waits {
                    self.outcomes[entry.at] = Err(StoreError::Held("an open transaction".into()));
                }
                !waits
            });
        }
        part
    }

    /// A part cannot be written: each half of it is tried; a lone write has found its fate.
    fn without(&mut self, mut part: Vec<Entry<'a>>, error: StoreError) -> Result<(), StoreError> {
        if let [lone] = part.as_slice() {
            if matches!(error, StoreError::Held(_)) {
                self.waited_for += 1;
                // Nothing would wait behind what concerns no session.
                if concerned(lone.write) == (None, None) || self.waited_for > MOST_WAITED_FOR {
                    return Err(error);
                }
                self.held.put_off(lone.write);
            }
            self.outcomes[lone.at] = Err(error);
        } else {
            let second = part.split_off(part.len() / 2);
            self.ahead.extend([second, part]);
        }
        Ok(())
    }
}
