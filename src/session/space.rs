//! Room for more sessions in the database: new ones are refused before rows have to be.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::caps::Cap;
use super::supervisor::Stopping;
use super::{SessionError, Sessions};
use crate::store::space::{Disk, Space};

/// How often it is looked at: at the rate at which sessions may be opened, what comes within this time is little.
const EVERY: Duration = Duration::from_secs(2);
/// What is left on a disk for those who are there already, in bytes: their rows, and SQLite's log.
const RESERVE: u64 = 128 << 20;
/// On a small disk it is this part of it.
const SMALL_PART: u64 = 20;

impl Sessions {
    /// The size of the database at the last look, if it could be told.
    pub fn space(&self) -> Option<Space> {
        *self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the database's size again and again, where anything follows from it.
    pub(super) async fn watch_space(self: Arc<Self>, stopping: Stopping) {
        let is_asked_for = self.policy.caps.database_bytes.is_some() || !self.store.is_shared();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stopping.or(ticks.tick()).await.is_some() {
            // A database that does not answer is told of elsewhere.
            if is_asked_for && let Some(Ok(space)) = stopping.or(self.store.space()).await {
                *self.space.lock().unwrap_or_else(PoisonError::into_inner) = Some(space);
            }
        }
    }

    pub(super) fn check_space(&self) -> Result<(), SessionError> {
        let Some(space) = self.space() else { return Ok(()) };
        met(space, self.policy.caps.database_bytes).map_or(Ok(()), |cap| Err(SessionError::Capped(cap)))
    }
}

/// What is kept free on a disk.
pub fn reserve(disk: Disk) -> u64 {
    RESERVE.min(disk.total / SMALL_PART)
}

fn met(space: Space, most: Option<u64>) -> Option<Cap> {
    let scarce = space.disk.filter(|disk| disk.free < reserve(*disk));
    let too_large = most.filter(|most| space.bytes >= *most);
    too_large.map(Cap::DatabaseSize).or_else(|| scarce.map(|disk| Cap::DiskSpace(disk.free)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_sessions_are_refused_before_the_disk_is_full() {
        let on = |free: u64, total: u64| Space { bytes: 1 << 20, disk: Some(Disk { free, total }) };
        let (large, small) = (1 << 40, 100 << 20);
        assert_eq!(met(on(RESERVE, large), None), None);
        assert_eq!(met(on(RESERVE - 1, large), None), Some(Cap::DiskSpace(RESERVE - 1)));
        assert_eq!(met(on(5 << 20, small), None), None, "a twentieth of a small disk");
        assert_eq!(met(on(4 << 20, small), None), Some(Cap::DiskSpace(4 << 20)));
        assert_eq!(met(on(large, large), Some(1 << 20)), Some(Cap::DatabaseSize(1 << 20)));
        assert_eq!(met(on(large, large), Some((1 << 20) + 1)), None);
        assert_eq!(met(Space { bytes: 1 << 40, disk: None }, None), None, "another machine's disk");
    }
}
