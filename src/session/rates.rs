//! How fast sessions are opened: by a principal, or by an address where nobody has a name.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::Sessions;
use super::bucket::{Bucket, Pace};
use super::caps::BURST;
use super::tallies::Tally;
use crate::model::principal::Principal;

/// The number of addresses that are remembered before those are forgotten that have been quiet.
const ADDRESSES: usize = 10_000;

/// What is taken of the caps of each by whoever takes the most, as far as it is known here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpeningsNow {
    /// Live sessions, as counted when the principal last opened one.
    pub live: Option<u64>,
    /// Sessions opened within the last hour.
    pub hour: Option<u64>,
    /// Sessions opened just now.
    pub burst: Option<u64>,
}

impl Sessions {
    /// Whether one more may be opened now. Who has no name goes by address; programs of the same user, who have none of
    /// these, are not slowed down.
    pub(super) fn is_slow_enough(
        &self,
        principal: &Principal,
        address: Option<IpAddr>,
        tally: &Tally,
        rate: u32,
    ) -> bool {
        let pace = a_second(rate);
        if !principal.name.is_empty() {
            return self.takes_place(&tally.second, pace);
        }
        let Some(address) = address else { return true };
        let (addresses, now) = (&self.tallies.by_address, self.uptime_ms());
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            self.forget_quiet_addresses();
        }
        addresses.entry(address).or_insert_with(|| Bucket::full(now, pace)).take(now, pace)
    }

    /// Whether a principal may open one more within this hour, of as many.
    pub(super) fn is_within_the_hour(&self, tally: &Tally, most: u64) -> bool {
        self.takes_place(&tally.hour, hourly(most))
    }

    /// What is taken of the caps.
    pub fn openings(&self) -> OpeningsNow {
        let (caps, tallies, now) = (self.policy.caps, &self.tallies, self.uptime_ms());
        let named: Vec<_> = tallies.by_principal.iter().map(|entry| entry.value().clone()).collect();
        let taken = |bucket: &Mutex<Option<Bucket>>, pace| {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).map(|bucket| bucket.taken(now, pace))
        };
        let a_second = caps.opened_per_second.map(a_second);
        let by_address = a_second.and_then(|pace| tallies.by_address.iter().map(|it| it.taken(now, pace)).max());
        let by_name = a_second.and_then(|pace| named.iter().filter_map(|tally| taken(&tally.second, pace)).max());
        let hour = caps.per_hour().map(hourly);
        OpeningsNow {
            live: caps.per_principal.and_then(|_| named.iter().filter_map(|tally| tally.last_count()).max()),
            hour: hour.and_then(|pace| named.iter().filter_map(|tally| taken(&tally.hour, pace)).max()),
            burst: by_address.max(by_name),
        }
    }

    /// Addresses that could open as many at once as a new one are nothing to remember.
    pub(super) fn forget_quiet_addresses(&self) {
        let Some(rate) = self.policy.caps.opened_per_second else { return };
        let (now, pace) = (self.uptime_ms(), a_second(rate));
        self.tallies.by_address.retain(|_, bucket| !bucket.is_full(now, pace));
    }

    fn takes_place(&self, bucket: &Mutex<Option<Bucket>>, pace: Pace) -> bool {
        let now = self.uptime_ms();
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.get_or_insert_with(|| Bucket::full(now, pace)).take(now, pace)
    }
}

fn a_second(rate: u32) -> Pace {
    Pace { per_second: rate.into(), most: f64::from(rate.saturating_mul(BURST)) }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^52 sessions nobody counts them one by one")]
fn hourly(most: u64) -> Pace {
    Pace { per_second: most as f64 / 3600.0, most: most as f64 }
}
