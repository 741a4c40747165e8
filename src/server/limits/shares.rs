//! What each client takes of a server: connections, requests that run, bytes of requests. Nobody gets more than half.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;

use super::Limits;
use super::source::Source;
use crate::mcp::{Counts, InFlight};
use crate::session::{Limit, Reached};

/// What all clients take together, and each by itself.
#[derive(Debug)]
pub(in crate::server) struct Shares {
    /// The most requests of one source that run at once.
    requests_each: usize,
    bytes_most: usize,
    bytes: AtomicUsize,
    by_source: DashMap<Source, Arc<Share>>,
    reached: Arc<Reached>,
}

/// What one of them takes now.
#[derive(Debug)]
pub(in crate::server) struct Share {
    source: Source,
    connections: AtomicUsize,
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// Bytes that are in memory for somebody, until this is dropped.
#[derive(Debug)]
pub(in crate::server) struct Held {
    shares: Arc<Shares>,
    share: Arc<Share>,
    bytes: usize,
}

impl Shares {
    pub(in crate::server) fn new(limits: &Limits, reached: Arc<Reached>) -> Arc<Self> {
        Arc::new(Self {
            requests_each: half(limits.connections),
            bytes_most: limits.requests_bytes,
            bytes: AtomicUsize::new(0),
            by_source: DashMap::new(),
            reached,
        })
    }

    /// The share of that source.
    pub(in crate::server) fn of(&self, source: Source) -> Arc<Share> {
        if let Some(share) = self.by_source.get(&source) {
            return share.clone();
        }
        let own = source.clone();
        self.by_source.entry(source).or_insert_with(|| Arc::new(Share::new(own))).clone()
    }

    /// Forgets those who take nothing any more. To be called now and then.
    pub(in crate::server) fn forget_unused(&self) {
        self.by_source.retain(|_, share| Arc::strong_count(share) > 1);
    }

    /// A request of somebody begins; `None` where as many run already as may.
    pub(in crate::server) fn begin(&self, share: &Arc<Share>) -> Option<InFlight> {
        let running = InFlight::of(share.clone());
        if share.requests.fetch_add(1, Relaxed) < self.requests_each {
            return Some(running);
        }
        let (who, most) = (&share.source, self.requests_each);
        self.reached.note(Limit::Requests, format_args!("{most} requests {who} run at once"));
        None
    }

    /// For bytes of somebody.
    pub(in crate::server) fn hold(self: &Arc<Self>, share: &Arc<Share>) -> Held {
        Held { shares: self.clone(), share: share.clone(), bytes: 0 }
    }

    /// The most requests that one may run at once, and those of whoever runs the most.
    pub(in crate::server) fn requests(&self) -> (usize, usize) {
        (self.requests_each, self.greatest(|share| &share.requests))
    }

    /// The most bytes, and those in memory now.
    pub(in crate::server) fn bytes(&self) -> (usize, usize) {
        (self.bytes_most, self.bytes.load(Relaxed))
    }

    /// The same for one alone, and those of whoever holds the most.
    pub(in crate::server) fn bytes_each(&self) -> (usize, usize) {
        (half(self.bytes_most), self.greatest(|share| &share.bytes))
    }

    fn greatest(&self, of: impl Fn(&Share) -> &AtomicUsize) -> usize {
        self.by_source.iter().map(|share| of(&share).load(Relaxed)).max().unwrap_or(0)
    }
}

fn half(all: usize) -> usize {
    (all / 2).max(1)
}

impl Share {
    pub(in crate::server) fn new(source: Source) -> Self {
        let [connections, requests, bytes] = [0; 3].map(AtomicUsize::new);
        Self { source, connections, requests, bytes }
    }

    pub(in crate::server) fn source(&self) -> &Source {
        &self.source
    }

    /// How many connections it has open.
    pub(in crate::server) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    pub(in crate::server) fn connect(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(in crate::server) fn disconnect(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }
}

impl Held {
    /// That many more; `false` where there is no room for them.
    #[must_use]
    pub(in crate::server) fn add(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let own = self.share.bytes.fetch_add(bytes, Relaxed) + bytes;
        let all = self.shares.bytes.fetch_add(bytes, Relaxed) + bytes;
        let each = half(self.shares.bytes_most);
        if own <= each && all <= self.shares.bytes_most {
            return true;
        }
        let who = &self.share.source;
        let fact = format_args!("requests on their way hold {} MiB, {} MiB of them {who}", all >> 20, own >> 20);
        self.shares.reached.note(Limit::RequestBytes, fact);
        false
    }

    /// None of them is in memory any more.
    pub(in crate::server) fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.share.bytes.fetch_sub(bytes, Relaxed);
        self.shares.bytes.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

impl Counts for Share {
    fn done(&self) {
        self.requests.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> Arc<Shares> {
        Shares::new(&Limits { connections: 6, requests_bytes: 1000, ..Limits::default() }, Arc::default())
    }

    #[test]
    fn nobody_runs_more_than_half_of_all() {
        let shares = shares();
        let [ada, bob] = ["ada", "bob"].map(|name| shares.of(Source::Principal(name.into())));
        let hers: Vec<_> = (0..5).map(|_| shares.begin(&ada)).collect();
        assert_eq!(hers.iter().flatten().count(), 3);
        assert_eq!(shares.requests(), (3, 3), "what was refused runs no more");
        assert!(shares.begin(&bob).is_some());
        drop(hers);
        assert!(shares.begin(&ada).is_some());
        assert_eq!(shares.reached.count(Limit::Requests), 2);
    }

    #[test]
    fn nobody_holds_more_than_half_and_all_no_more_than_all() {
        let shares = shares();
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| shares.of(Source::Principal(name.into())));
        let mut hers = [shares.hold(&ada), shares.hold(&ada)];
        assert!(hers[0].add(300) && hers[1].add(200) && !hers[1].add(1));
        let (mut his, mut eves) = (shares.hold(&bob), shares.hold(&eve));
        assert!(his.add(490) && !eves.add(10), "1,001 with the one that was refused");
        drop(hers);
        eves.release();
        assert!(eves.add(500));
        drop((his, eves));
        assert_eq!(shares.bytes(), (1000, 0));
    }

    #[test]
    fn who_takes_nothing_is_forgotten() {
        let shares = shares();
        let ada = shares.of(Source::Local);
        shares.forget_unused();
        assert!(Arc::ptr_eq(&ada, &shares.of(Source::Local)));
        drop(ada);
        shares.forget_unused();
        assert!(shares.by_source.is_empty());
    }
}
