//! Writes that wait for rows which somebody else's open transaction holds, while all others go on.
//!
//! They keep their order: whatever else concerns the same sessions waits behind them. Their numbers are given up with the
//! transaction in which they could not be written, and they get new ones, so that the sums never miss a row.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::batch::Queued;
use crate::store::rows::Write;

/// How many may wait here. A session that goes on calling for hours must not fill the memory.
const CAPACITY: usize = 8192;
/// How many are tried at once, and how many of one session: those that are held still take time. While none is, both double.
const AT_ONCE: usize = 64;
const OF_ONE: usize = 16;
/// How often they double.
const DOUBLED: u32 = 4;
/// How often they are tried.
const EVERY: Duration = Duration::from_secs(1);

/// Sessions whose rows somebody holds, and those whose writes wait behind them.
#[derive(Debug, Default, Clone)]
pub(in crate::store) struct HeldRows {
    pub(in crate::store) archon: HashSet<Uuid>,
    pub(in crate::store) connections: HashSet<Arc<str>>,
    /// A write was put off for them.
    has_put_off: bool,
}

impl HeldRows {
    /// Whether a write concerns one of them. If it does, all that it concerns counts as held from here on: later writes
    /// lean on it. A barrier is behind whatever was put off.
    pub(in crate::store) fn puts_off(&mut self, write: &Write) -> bool {
        let (archon, connection) = concerned(write);
        let puts_off = archon.is_some_and(|id| self.archon.contains(&id))
            || connection.is_some_and(|id| self.connections.contains(id))
            || (self.has_put_off && matches!(write, Write::Barrier));
        if puts_off {
            self.put_off(write);
        }
        puts_off
    }

    /// A write is put off: all that it concerns counts as held.
    pub(in crate::store) fn put_off(&mut self, write: &Write) {
        let (archon, connection) = concerned(write);
        self.has_put_off = true;
        self.archon.extend(archon);
        self.connections.extend(connection.cloned());
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.archon.is_empty() && self.connections.is_empty()
    }
}

/// The sessions whose rows a write changes or refers to. A row that nobody else knows of is held by nobody.
pub(in crate::store) fn concerned(write: &Write) -> (Option<Uuid>, Option<&Arc<str>>) {
    match write {
        Write::Create(row) => (Some(row.session_id), Some(&row.protocol_session_id)),
        Write::Bind(row) => (Some(row.session_id), Some(&row.protocol_session_id)),
        Write::Request(row) => (row.session_id, None),
        Write::Withdraw(row) => (None, Some(row.id())),
        Write::Open(_) | Write::Event(_) | Write::Barrier => (None, None),
    }
}

/// What waits.
#[derive(Debug)]
pub(in crate::store) struct Aside {
    waiting: VecDeque<Queued>,
    held: HeldRows,
    /// Those of this round that are held still. It is over when all others were tried.
    stuck: HeldRows,
    /// How often the numbers of those that are tried at once were doubled.
    doubled: u32,
    due: Instant,
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            held: HeldRows::default(),
            stuck: HeldRows::default(),
            doubled: 0,
            due: Instant::now(),
        }
    }
}

impl Aside {
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When they are to be tried again.
    pub(in crate::store) fn due(&self) -> Instant {
        self.due
    }

    /// Takes what belongs behind those that wait. What there is no room for is returned.
    pub(in crate::store) fn take_from(&mut self, writes: &mut Vec<Queued>) -> Vec<Queued> {
        if self.is_empty() {
            return Vec::new();
        }
        let behind = writes.extract_if(.., |queued| self.held.puts_off(&queued.write));
        self.waiting.extend(behind.collect::<Vec<_>>());
        let (barriers, beyond): (Vec<_>, Vec<_>) = self
            .waiting
            .split_off(self.waiting.len().min(CAPACITY))
            .into_iter()
            .partition(|queued| matches!(queued.write, Write::Barrier));
        // Who waits for all has to wait, and takes no room.
        self.waiting.extend(barriers);
        beyond
    }

    /// The first of them that were not tried in this round, for another try. A long queue of one session does not keep
    /// others waiting.
    pub(in crate::store) fn first(&mut self) -> Vec<Queued> {
        let [most, of_one] = [AT_ONCE, OF_ONE].map(|count| count << self.doubled);
        let (mut first, mut share) = (Vec::new(), Share { passed: self.stuck.clone(), ..Share::default() });
        let mut rest = VecDeque::with_capacity(self.waiting.len());
        for queued in self.waiting.drain(..) {
            if first.len() < most && share.admits(&queued.write, of_one) {
                first.push(queued);
            } else {
                share.passed.put_off(&queued.write);
                rest.push_back(queued);
            }
        }
        self.waiting = rest;
        first
    }

    /// These could not be written now, and wait.
    pub(in crate::store) fn put(&mut self, writes: Vec<Queued>) {
        if self.is_empty() {
            self.due = Instant::now() + EVERY;
        }
        self.put_back(writes);
    }

    /// They were tried, and these could not be written: the others are tried at once, and when all were, all of them once
    /// more after a while. Returns whether all were.
    pub(in crate::store) fn tried(&mut self, held: Vec<Queued>) -> bool {
        self.doubled = if held.is_empty() { (self.doubled + 1).min(DOUBLED) } else { 0 };
        for queued in &held {
            self.stuck.put_off(&queued.write);
        }
        self.put_back(held);
        let mut stuck = self.stuck.clone();
        let is_over = self.waiting.iter().all(|queued| stuck.puts_off(&queued.write));
        self.due = Instant::now();
        if is_over {
            self.due += EVERY;
            self.stuck = HeldRows::default();
        }
        is_over
    }

    /// All that waits, for those who give it up.
    pub(in crate::store) fn all(self) -> VecDeque<Queued> {
        self.waiting
    }

    /// They are the first again. Nothing before them concerns the same sessions.
    fn put_back(&mut self, writes: Vec<Queued>) {
        for queued in writes.into_iter().rev() {
            self.waiting.push_front(queued);
        }
        self.held = HeldRows { has_put_off: true, ..HeldRows::default() };
        for queued in &self.waiting {
            let (archon, connection) = concerned(&queued.write);
            self.held.archon.extend(archon);
            self.held.connections.extend(connection.cloned());
        }
    }

    /// One of the sessions that are held, as text.
    pub(in crate::store) fn any(&self) -> Option<String> {
        self.waiting.iter().find_map(|queued| match concerned(&queued.write) {
            (Some(id), _) => Some(id.to_string()),
            (None, id) => id.map(ToString::to_string),
        })
    }
}

/// What of the sessions that wait is taken at once.
#[derive(Default)]
struct Share {
    taken: (HashMap<Uuid, usize>, HashMap<Arc<str>, usize>),
    /// Sessions that have their share, and what leans on them.
    passed: HeldRows,
}

impl Share {
    fn admits(&mut self, write: &Write, most: usize) -> bool {
        if self.passed.puts_off(write) {
            return false;
        }
        let (archon, connection) = concerned(write);
        let (archons, connections) = &mut self.taken;
        let counts = [
            archon.map(|id| archons.entry(id).or_default()),
            connection.map(|id| connections.entry(id.clone()).or_default()),
        ];
        counts.into_iter().flatten().fold(true, |has_room, count| {
            *count += 1;
            has_room && *count <= most
        })
    }
}
