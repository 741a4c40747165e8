//! What is counted of the sessions that are opened here: each has a reservation, until it is in the database.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use dashmap::DashMap;

use super::bucket::Bucket;
use crate::store::StoreError;
use crate::store::sessions::LiveCounts;

/// What is known of the sessions that are opened here.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) all: Openings,
    /// There are as many as lines in the token file.
    pub(super) by_principal: DashMap<Arc<str>, Arc<Tally>>,
    /// Of those who have no name. One that is full again is forgotten.
    pub(super) by_address: DashMap<IpAddr, Bucket>,
}

/// What is known of one principal's.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) own: Openings,
    /// Held over an await: openings of one principal that find the count stale wait for one read, and take its failure.
    pub(super) count: tokio::sync::Mutex<Known>,
    pub(super) second: Mutex<Option<Bucket>>,
    pub(super) hour: Mutex<Option<Bucket>>,
}

/// Openings since this server began.
#[derive(Debug, Default)]
pub(super) struct Openings {
    pub(super) admitted: AtomicU64,
    /// Of these, the ones that are in the database by now, or will never be.
    pub(super) settled: AtomicU64,
}

/// What is known of how many there are.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) count: Option<Count>,
    /// The last failure to count: when, by uptime, and why.
    pub(super) failed: Option<(u64, StoreError)>,
}

/// What the database said, and which openings it could know of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// By uptime.
    pub(super) at_ms: u64,
    pub(super) live: LiveCounts,
    pub(super) all_settled: u64,
    pub(super) own_settled: u64,
}

/// Room for one session that is being opened. It is in the database, or given up, when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    tallies: &'a Tallies,
    /// How many there were since this server began, with this one.
    pub(super) number: u64,
    tally: Arc<Tally>,
}

impl Tallies {
    /// Room for one more session, whatever the limits.
    pub(super) fn reserve(&self, tally: &Arc<Tally>) -> Reservation<'_> {
        let number = self.all.admitted.fetch_add(1, SeqCst) + 1;
        tally.own.admitted.fetch_add(1, SeqCst);
        Reservation { tallies: self, tally: tally.clone(), number }
    }
}

impl Count {
    /// How many there are in all with that one, if all before it came about.
    pub(super) fn all_with(&self, reservation: &Reservation<'_>) -> u64 {
        self.live.all + reservation.number.saturating_sub(self.all_settled)
    }
}

impl Tally {
    /// How many live sessions it had at the last count, with those opened since, unless they are being counted.
    pub(super) fn last_count(&self) -> Option<u64> {
        let count = self.count.try_lock().ok()?.count?;
        Some(self.live_since(count))
    }

    pub(super) fn live_since(&self, count: Count) -> u64 {
        count.live.own + self.own.admitted.load(SeqCst).saturating_sub(count.own_settled)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.tallies.all.settled.fetch_add(1, SeqCst);
        self.tally.own.settled.fetch_add(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_principals_with_one_count_the_second_is_beyond_it() {
        let (tallies, [ada, bob]) = (Tallies::default(), [(); 2].map(|()| Arc::<Tally>::default()));
        drop(tallies.reserve(&ada));
        let live = LiveCounts { all: 9, own: 0 };
        let count = Count { at_ms: 0, live, all_settled: 1, own_settled: 0 };
        let (first, second) = (tallies.reserve(&ada), tallies.reserve(&bob));
        assert_eq!((count.all_with(&first), count.all_with(&second)), (10, 11));
    }
}
