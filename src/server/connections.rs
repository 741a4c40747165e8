//! The connections that are open: how many there may be, and which give way to new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::activity::Activity;
use super::limits::Share;

/// A hundredth of all gives way at once, but no more than this: to look for them takes a look at each.
const AT_ONCE: usize = 100;
/// How often a full server looks for connections on which nothing runs any more.
const LOOK: Duration = Duration::from_millis(100);

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Connections {
    epoch: Instant,
    most: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    /// The number of the next one.
    next: AtomicU64,
    closed: Notify,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub(super) struct OpenConnection {
    connections: Arc<Connections>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let (open, next, closed) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Arc::new(Self { epoch: Instant::now(), most, open, next, closed })
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open().len()
    }

    /// Waits for a place; those on which nothing runs make room. `told` hears where there was none.
    pub(super) async fn room(&self, told: impl Fn()) {
        let mut was_full = false;
        loop {
            let closed = self.closed.notified();
            if self.count() < self.most {
                return;
            }
            if !std::mem::replace(&mut was_full, true) {
                told();
            }
            self.make_room();
            // Closed or not: what ran may be done by then.
            _ = timeout(LOOK, closed).await;
        }
    }

    /// A connection was opened.
    pub(super) fn enter(self: &Arc<Self>, address: Option<IpAddr>, own: Arc<Share>) -> OpenConnection {
        let activity = Arc::new(Activity::new(self.epoch, address, own));
        let number = self.next.fetch_add(1, Relaxed);
        self.open().insert(number, activity.clone());
        OpenConnection { connections: self.clone(), number, activity }
    }

    /// Closes those whose first head, or one that has begun, has been on its way for longer than this.
    pub(super) fn close_late(&self, head_time: Duration) {
        let ms = head_time.as_millis();
        self.open().values().filter(|activity| activity.is_late(ms)).for_each(|activity| activity.leave());
    }

    /// Closes some on which nothing runs.
    pub(super) fn make_room(&self) {
        let open = self.open();
        let mut waiting: Vec<_> = open.values().filter_map(|activity| Some((activity.rank()?, activity))).collect();
        let count = (self.most / 100).clamp(1, AT_ONCE);
        waiting.sort_unstable_by_key(|(rank, _)| *rank);
        waiting.iter().take(count).for_each(|(_, activity)| activity.leave());
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::limits::Source;
    use super::*;
    use crate::server::activity::Received;

    fn share() -> Arc<Share> {
        Arc::new(Share::new(Source::Local))
    }

    fn is_closed(place: &OpenConnection) -> bool {
        place.activity.gives_way().now_or_never().is_some()
    }

    #[tokio::test]
    async fn of_whoever_has_the_most_the_longest_idle_gives_way() {
        let connections = Connections::new(4);
        let (many, few) = (share(), share());
        let first = connections.enter(None, few);
        let busy = connections.enter(None, many.clone());
        busy.activity.has_head();
        busy.activity.begin();
        let idle = connections.enter(None, many.clone());
        // What is told apart by milliseconds.
        let used = Instant::now();
        while used.elapsed() < Duration::from_millis(2) {
            std::thread::yield_now();
        }
        let latest = connections.enter(None, many);
        let room = connections.room(|| {});
        tokio::pin!(room);
        assert!(room.as_mut().now_or_never().is_none());
        let closed = [&first, &busy, &idle, &latest].map(is_closed);
        assert_eq!(closed, [false, false, true, false]);
        drop(idle);
        assert!(room.now_or_never().is_some());
        assert_eq!(connections.count(), 3);
    }

    #[tokio::test]
    async fn where_everything_runs_somebody_has_to_leave() {
        let connections = Connections::new(1);
        let only = connections.enter(None, share());
        only.activity.has_head();
        only.activity.begin();
        let room = connections.room(|| {});
        tokio::pin!(room);
        assert!(room.as_mut().now_or_never().is_none() && !is_closed(&only));
        drop(only);
        assert!(room.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_head_has_its_time_and_a_kept_connection_has_none() {
        let connections = Connections::new(9);
        let [new, begun, kept, body] = [(); 4].map(|()| connections.enter(None, share()));
        assert_eq!(begun.activity.receives(), Received::NewHead);
        kept.activity.has_head();
        kept.activity.end();
        body.activity.has_head();
        connections.close_late(Duration::from_mins(1));
        assert!(![&new, &begun, &kept, &body].into_iter().any(is_closed));
        connections.close_late(Duration::ZERO);
        assert_eq!([&new, &begun, &kept, &body].map(is_closed), [true, true, false, false]);
    }
}
