//! What a connection does: a stop waits for requests that run, and for nobody who merely holds a connection; and where there
//! is no room for more, those give way on which nothing runs.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::Notify;

use super::limits::Share;

/// A client that has read nothing of its answer for this long is not reading it, in milliseconds.
const STALLED: u64 = 2000;

/// How far a connection's request has come. Requests come one after the other on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Nothing has come yet, or nothing since the last answer.
    Waiting,
    /// Part of a head has come.
    Head,
    /// The head is whole.
    Body,
    /// The request has arrived whole, and its answer has not left.
    Answering,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// The first bytes of a request.
    NewHead,
    /// More of its head.
    Head,
    /// What comes after it.
    Body,
}

/// What one connection does.
#[derive(Debug)]
pub(super) struct Activity {
    /// What `since` is counted from: the same for all connections of a server.
    epoch: Instant,
    phase: AtomicU8,
    /// Since when it waits, or part of a head is there, in milliseconds.
    since: AtomicU64,
    /// The first request is still to come.
    is_new: AtomicBool,
    /// An answer waits for its client to read on.
    writing: AtomicBool,
    /// Since when nothing of it could be written, in milliseconds.
    stalled: AtomicU64,
    /// It is to be closed now.
    leaving: AtomicBool,
    leave: Notify,
    /// Where it comes from.
    address: Option<IpAddr>,
    /// The share of that address.
    own: Arc<Share>,
    /// The share of the first principal that came by it: from then on it counts for that.
    principal: OnceLock<Arc<Share>>,
}

impl Activity {
    /// A connection that was opened just now.
    pub(super) fn new(epoch: Instant, address: Option<IpAddr>, own: Arc<Share>) -> Self {
        own.connect();
        let opened = Self {
            epoch,
            phase: AtomicU8::new(Phase::Waiting as u8),
            since: AtomicU64::new(0),
            is_new: AtomicBool::new(true),
            writing: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
            address,
            own,
            principal: OnceLock::new(),
        };
        opened.now_in(Phase::Waiting);
        opened
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    fn now_in(&self, phase: Phase) {
        self.since.store(self.now_ms(), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes have come.
    pub(super) fn receives(&self) -> Received {
        if self.is_in(Phase::Waiting) {
            self.now_in(Phase::Head);
            return Received::NewHead;
        }
        if self.is_in(Phase::Head) { Received::Head } else { Received::Body }
    }

    /// Whether no request is on its way or being answered.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_in(Phase::Waiting)
    }

    /// A head is whole.
    pub(super) fn has_head(&self) {
        self.is_new.store(false, Relaxed);
        self.phase.store(Phase::Body as u8, Relaxed);
    }

    /// A request has arrived whole.
    pub(super) fn begin(&self) {
        self.phase.store(Phase::Answering as u8, Relaxed);
    }

    /// Its answer has left.
    pub(super) fn end(&self) {
        self.now_in(Phase::Waiting);
    }

    /// Something that was written waits for the client, or does not any more.
    pub(super) fn is_writing(&self, waits: bool) {
        self.stalled.store(self.now_ms(), Relaxed);
        self.writing.store(waits, Relaxed);
    }

    /// Whether a stop has to wait for it.
    pub(super) fn is_on(&self) -> bool {
        self.is_in(Phase::Answering) || self.writing.load(Relaxed)
    }

    /// Whether a request runs on it, or its answer is being read: who reads nothing for a while keeps nobody out.
    fn is_at_work(&self) -> bool {
        let is_read = || self.now_ms().saturating_sub(self.stalled.load(Relaxed)) < STALLED;
        self.is_in(Phase::Answering) || (self.writing.load(Relaxed) && is_read())
    }

    /// Whether a first head, or one that has begun, has been on its way for that many milliseconds.
    pub(super) fn is_late(&self, ms: u128) -> bool {
        let waits_for_head = self.is_in(Phase::Head) || (self.is_in(Phase::Waiting) && self.is_new.load(Relaxed));
        waits_for_head && u128::from(self.now_ms().saturating_sub(self.since.load(Relaxed))) >= ms
    }

    /// Which give way first: those of whoever has the most connections, of these the one that has waited for longest. `None`
    /// where something runs on it.
    pub(super) fn rank(&self) -> Option<(std::cmp::Reverse<usize>, u64)> {
        let stays = self.is_at_work() || self.leaving.load(Relaxed);
        let rank = || (std::cmp::Reverse(self.share().connections()), self.since.load(Relaxed));
        (!stays).then(rank)
    }

    /// It is to be closed now.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
        self.leave.notify_one();
    }

    /// Returns when it is to be closed, and nothing runs on it.
    pub(super) async fn gives_way(&self) {
        loop {
            self.leave.notified().await;
            // A request may have been faster.
            if !self.is_at_work() {
                return;
            }
            self.leaving.store(false, Relaxed);
        }
    }

    /// Where it comes from.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The share that its address has.
    pub(super) fn own(&self) -> &Arc<Share> {
        &self.own
    }

    /// The share of the principal that came by it first.
    pub(super) fn principal(&self) -> Option<&Arc<Share>> {
        self.principal.get()
    }

    /// A principal has come by it.
    pub(super) fn belongs_to(&self, share: &Arc<Share>) {
        if self.principal.set(share.clone()).is_ok() {
            share.connect();
            self.own.disconnect();
        }
    }

    fn share(&self) -> &Share {
        self.principal.get().unwrap_or(&self.own)
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.share().disconnect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_read_slowly_stays_and_one_that_nobody_reads_gives_way() {
        let began = Instant::now().checked_sub(std::time::Duration::from_mins(1)).expect("a minute ago");
        let activity = Activity::new(began, None, Arc::new(Share::new(super::super::limits::Source::Local)));
        activity.is_writing(true);
        assert!(activity.is_at_work() && activity.is_on() && activity.rank().is_none());
        activity.stalled.fetch_sub(STALLED, Relaxed);
        assert!(!activity.is_at_work() && activity.is_on() && activity.rank().is_some());
        // It reads on.
        activity.is_writing(false);
        activity.is_writing(true);
        assert!(activity.is_at_work());
    }
}
