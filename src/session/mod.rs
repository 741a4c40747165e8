//! The life of a session: opened, validated, bound, touched, reaped, recovered.
//!
//! A session is a row in the store. What stands in memory is a copy with a lease of one second, a few hundred bytes,
//! made on demand and dropped when idle: no task, no channel, and nothing that a `kill -9` could take with it.

mod admission;
mod archon;
mod bind;
mod boot;
mod bucket;
mod cache;
mod caps;
mod cleanup;
mod closing;
mod create;
mod dismissed;
mod ends;
mod error;
mod gap;
mod heartbeat;
mod housekeeping;
mod limits;
mod listening;
mod live;
mod memory;
mod open;
pub mod operator;
mod policy;
mod rates;
mod recent;
mod refusals;
mod refusing;
mod renew;
mod report;
mod retained;
mod retention;
mod running;
mod space;
pub mod status;
mod supervisor;
mod tallies;
mod ticking;
mod timekeeping;
mod times;
mod validate;
mod visitor;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use uuid::Uuid;

pub use archon::Archon;
pub use boot::Boot;
pub use caps::{BURST, Cap, Caps, HOURLY};
pub use error::SessionError;
pub use limits::{Limit, Reached};
pub use live::{Live, OpenStream};
pub use open::Opening;
pub use policy::{Deployment, Policy};
pub use rates::OpeningsNow;
pub use refusals::Refused;
pub use running::{Running, Runs};
pub use space::reserve;
pub use supervisor::{Stopping, Supervisor};
pub use times::LEASE;
pub use visitor::Visitor;

use crate::model::clock::Clock;
use crate::model::machine::Memory;
use crate::model::warned::Warned;
use crate::store::boots::{Credits, NewBoot, Rules};
use crate::store::rows::{NewEvent, Write};
use crate::store::space::Space;
use crate::store::{Store, StoreError};
use cache::Cache;
use ends::EndCounts;
use memory::MemoryWatch;
use recent::StatusCache;
use refusals::Refusals;
use retained::Retained;
use tallies::Tallies;
use timekeeping::Timekeeping;

/// The sessions of one running server.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    clock: Clock,
    policy: Policy,
    boot: Boot,
    /// Time that was not idleness; replaced when more is known.
    credits: RwLock<Arc<Credits>>,
    time: Timekeeping,
    /// When the store last left a question about a session unanswered, by uptime; zero: never.
    unanswered_at: AtomicU64,
    cache: Cache,
    /// One flush at a time.
    flushing: tokio::sync::Mutex<()>,
    warned: Warned,
    /// The last minute in which cancellations were passed on, and how many in it.
    told: Mutex<(u64, u32)>,
    counters: Counters,
    /// What was counted last, and whether the database answered.
    recent: StatusCache,
    ready: StatusCache,
    draining: AtomicBool,
    ends: EndCounts,
    retained: Retained,
    tallies: Tallies,
    limits: Arc<Reached>,
    /// The size of the database at the last look, and what is left on its disk.
    space: Mutex<Option<Space>>,
    memory: MemoryWatch,
    refusals: Refusals,
    supervisor: Supervisor,
}

#[derive(Debug)]
struct Counters {
    /// Live sessions found at start; negative until they are counted.
    recovered: AtomicI64,
    /// Sessions of an earlier boot that came back and were served.
    resumed: AtomicU64,
    opened: AtomicU64,
    cleaned_up: AtomicU64,
    /// Milliseconds since 1970 of the last cleanup; zero before the first.
    last_cleanup: AtomicI64,
    /// Sessions in memory whose end was learnt from the store.
    ended_elsewhere: AtomicU64,
}

impl Sessions {
    /// Records the boot and stands ready. Nothing is loaded: sessions come from the store as they are asked for.
    ///
    /// # Errors
    /// [`StoreError`] when the boot cannot be recorded.
    pub async fn begin(store: Store, clock: Clock, policy: Policy) -> Result<Arc<Self>, StoreError> {
        if let Some(offset) = store.clock_offset(&clock).await? {
            clock.shift(offset);
        }
        let started_at = clock.now();
        let id = Uuid::new_v4();
        let deployment = &policy.deployment;
        let begun = store
            .begin_boot(&NewBoot {
                id,
                version: env!("CARGO_PKG_VERSION"),
                started_at,
                token_method: policy.token_method,
                recover_window: policy.recover_window,
                listen: deployment.listen.clone(),
                name: deployment.name.clone(),
                memory: deployment.machine.memory(),
                kills: deployment.machine.kills(),
                former: deployment.former,
                rules: Rules {
                    session_timeout: policy.timeout,
                    protocol_timeout: policy.protocol_timeout,
                    max_age: policy.max_age,
                },
            })
            .await?;
        let credits = store.credits().await?;
        let boot = Boot { id, begun, started_at, started: Instant::now() };
        boot.log();
        Ok(Arc::new(Self {
            store,
            clock,
            policy,
            boot,
            credits: RwLock::new(Arc::new(credits)),
            time: Timekeeping::default(),
            unanswered_at: AtomicU64::new(0),
            cache: Cache::default(),
            flushing: tokio::sync::Mutex::default(),
            warned: Warned::default(),
            told: Mutex::default(),
            counters: Counters::default(),
            recent: StatusCache::default(),
            ready: StatusCache::default(),
            draining: AtomicBool::new(false),
            ends: EndCounts::default(),
            retained: Retained::default(),
            tallies: Tallies::default(),
            limits: Arc::default(),
            space: Mutex::default(),
            memory: MemoryWatch::default(),
            refusals: Refusals::default(),
            supervisor: Supervisor::default(),
        }))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// This run.
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// How memory was within the last half minute.
    pub fn memory(&self) -> Memory {
        self.memory.recent(&self.policy.deployment.machine)
    }

    /// How many sessions stand in memory.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// How many sessions were opened in this boot.
    pub fn opened(&self) -> u64 {
        self.counters.opened.load(Relaxed)
    }

    /// How many sessions of earlier boots came back and were served.
    pub fn resumed(&self) -> u64 {
        self.counters.resumed.load(Relaxed)
    }

    /// How many Archon sessions have ended since this server began, by reason, whoever ended them.
    pub fn ends_by_reason(&self) -> Vec<(&'static str, u64)> {
        self.ends.by_reason()
    }

    /// How many sessions were ended by somebody else, and known to be before they were asked for.
    pub fn ended_elsewhere(&self) -> u64 {
        self.counters.ended_elsewhere.load(Relaxed)
    }

    /// A session was used now: its time runs anew.
    pub fn touch(&self, live: &Arc<Live>, archon: Option<&Arc<Archon>>) {
        let now = self.clock.now();
        if live.times.touch(now, self.policy.protocol_end(live.times.started(), now)) {
            self.cache.dirty().live.push(live.clone());
        }
        if let Some(archon) = archon
            && !archon.has_ended()
            && archon.times.touch(now, self.policy.archon_end(archon.times.started(), now))
        {
            self.cache.dirty().archons.push(archon.clone());
        }
    }

    /// Milliseconds since this boot began, by the monotonic clock: what leases are counted in.
    fn uptime_ms(&self) -> u64 {
        u64::try_from(self.boot.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn event(&self, kind: &'static str, live: Option<&Live>, protocol_id: &str, reason: Option<String>) {
        self.store.writer().submit_unwatched(Write::Event(Box::new(NewEvent {
            at: self.clock.now(),
            kind,
            session_id: live.map(Live::archon_id),
            protocol_session_id: (!protocol_id.is_empty()).then(|| Arc::from(protocol_id)),
            reason,
            actor: Some("server".to_owned()),
        })));
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            recovered: AtomicI64::new(-1),
            resumed: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            cleaned_up: AtomicU64::new(0),
            last_cleanup: AtomicI64::new(0),
            ended_elsewhere: AtomicU64::new(0),
        }
    }
}
