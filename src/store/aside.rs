//! Writes that wait for rows which somebody else's open transaction holds, while all others go on.
//!
//! They keep their order: whatever else concerns the same sessions waits behind them. Their numbers are given up with the
//! transaction in which they could not be written, and they get new ones, so that the sums never miss a row.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::rows::Write;
use super::writer::Queued;

/// So many may wait here. A session that goes on calling for hours must not fill the memory.
const CAPACITY: usize = 8192;
/// How often they are tried.
const EVERY: Duration = Duration::from_secs(1);

/// Sessions whose rows somebody holds, and those whose writes wait behind them.
#[derive(Debug, Default)]
pub(super) struct HeldRows {
    pub(super) archon: HashSet<Uuid>,
    pub(super) connections: HashSet<Arc<str>>,
    /// A write was put off for them.
    has_put_off: bool,
}

impl HeldRows {
    /// Whether a write concerns one of them. If it does, all that it concerns counts as held from here on: later writes
    /// lean on it. A barrier is behind whatever was put off.
    pub(super) fn puts_off(&mut self, write: &Write) -> bool {
        let (archon, connection) = concerned(write);
        let puts_off = archon.is_some_and(|id| self.archon.contains(&id))
            || connection.is_some_and(|id| self.connections.contains(id))
            || (self.has_put_off && matches!(write, Write::Barrier));
        if puts_off {
            self.has_put_off = true;
            self.archon.extend(archon);
            self.connections.extend(connection.cloned());
        }
        puts_off
    }

    pub(super) fn is_empty(&self) -> bool {
        self.archon.is_empty() && self.connections.is_empty()
    }
}

/// The sessions whose rows a write changes or refers to. A row that nobody else knows of is held by nobody.
pub(super) fn concerned(write: &Write) -> (Option<Uuid>, Option<&Arc<str>>) {
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
pub(super) struct Aside {
    waiting: VecDeque<Queued>,
    held: HeldRows,
    due: Instant,
}

impl Default for Aside {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), held: HeldRows::default(), due: Instant::now() }
    }
}

impl Aside {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When they are to be tried again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes what belongs behind those that wait. What there is no room for is returned.
    pub(super) fn take_from(&mut self, writes: &mut Vec<Queued>) -> Vec<Queued> {
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

    /// The first of them, for another try.
    pub(super) fn first(&mut self, most: usize) -> Vec<Queued> {
        self.waiting.drain(..most.min(self.waiting.len())).collect()
    }

    /// These could not be written, and are the first again.
    pub(super) fn put_back(&mut self, writes: Vec<Queued>) {
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

    /// They were tried: once more after a while, or at once where some of them were written.
    pub(super) fn tried(&mut self, is_stuck: bool) {
        self.due = if is_stuck { Instant::now() + EVERY } else { Instant::now() };
    }

    /// One of the sessions that are held, as text.
    pub(super) fn any(&self) -> Option<String> {
        self.waiting.iter().find_map(|queued| match concerned(&queued.write) {
            (Some(id), _) => Some(id.to_string()),
            (None, id) => id.map(ToString::to_string),
        })
    }
}
