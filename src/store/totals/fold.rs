//! Rows now, sums soon: what committed request rows add up to, kept in memory and written about once a second.
//!
//! A random update for each call would cost twelve times the append. So a call appends its row, and everything that
//! sums over rows (the counters of a session, the sums by minute) is written in one transaction that also stores up to
//! which row of this boot it reaches. Rows that a dead boot left unfolded are read and folded by whoever starts or
//! cleans up next: nothing is counted twice, nothing is lost.

use std::sync::{Mutex, PoisonError};

use super::clients::Clients;
use super::sums::Sums;
use crate::model::timestamp::Timestamp;
use crate::store::rows::NewRequest;

/// Sums that wait to be written.
#[derive(Debug, Default)]
pub(in crate::store) struct Fold {
    waiting: Mutex<Waiting>,
    /// Held while more are written.
    pub(in crate::store) reached: tokio::sync::Mutex<Reached>,
}

/// How far the sums are written.
#[derive(Debug, Default)]
pub(in crate::store) struct Reached {
    /// Up to which row the sums in the database reach, as far as we know.
    pub(in crate::store) mark: i64,
    /// Somebody held rows when they were last written.
    pub(in crate::store) is_held: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    sums: Sums,
    clients: Clients,
    /// Rows up to this one were folded from the table. Some of them may still be on their way to us: others took this boot
    /// for dead and folded what it had committed, before it knew that it had.
    folded: i64,
}

/// Sums on their way to the database. Unless they arrive there, they go back (also when whoever writes them is dropped).
#[derive(Debug)]
pub(in crate::store) struct InHand<'a> {
    fold: &'a Fold,
    pub(in crate::store) sums: Sums,
}

impl Fold {
    /// Adds a committed row.
    pub(in crate::store) fn add(&self, request: &NewRequest, seq: i64) {
        let mut waiting = self.lock();
        if seq > waiting.folded {
            let Waiting { sums, clients, .. } = &mut *waiting;
            sums.add(request, seq, clients);
        }
    }

    /// The sums of these rows alone, each with its number.
    pub(super) fn sums_of<'r>(&self, rows: impl Iterator<Item = (&'r NewRequest, i64)>) -> Sums {
        let (mut sums, mut waiting) = (Sums::default(), self.lock());
        rows.for_each(|(request, seq)| sums.add(request, seq, &mut waiting.clients));
        sums
    }

    /// The sums in the database tell these clients apart already on that day.
    pub(super) fn know_clients(&self, day: Timestamp, names: Vec<String>) {
        self.lock().clients.know(day, names);
    }

    /// All that waits.
    pub(in crate::store) fn take(&self) -> InHand<'_> {
        InHand { fold: self, sums: std::mem::take(&mut self.lock().sums) }
    }

    /// Rows up to `reached` were folded from the table, and are ignored from now on. Sums that already have some of those
    /// are of no use any more; they come into hand, because all of their rows have to be folded from the table as well.
    pub(in crate::store) fn folded_up_to(&self, reached: i64) -> Option<InHand<'_>> {
        let mut waiting = self.lock();
        let first = waiting.sums.first();
        if first == 0 || first > reached {
            waiting.folded = reached;
            return None;
        }
        Some(InHand { fold: self, sums: std::mem::take(&mut waiting.sums) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand<'_> {
    /// They are in the database.
    pub(in crate::store) fn arrived(mut self) {
        self.sums = Sums::default();
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if self.sums.seq() > 0 {
            self.fold.lock().sums.join(std::mem::take(&mut self.sums));
        }
    }
}
