//! Who was refused, and why. Nobody is refused unseen: each refusal is counted by its reason, and has a line in the log and an
//! event, unless the same client was refused the same within a minute or too many others were; those are told as a number.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::machine::Memory;
use crate::model::refused::Reason;

/// Lines of one reason in a minute.
const LINES: usize = 20;
/// The last refusals that are kept in memory, and how many of them make a pattern.
const KEPT: usize = 10;
const ENOUGH: usize = 3;
/// A server that began within this time has just been restarted, in seconds.
const RECENT_S: u32 = 300;
/// Lines of all reasons together in a minute: what is remembered for that has a bound, too.
const LINES_IN_ALL: usize = 100;
const MINUTE_S: u32 = 60;

/// A refusal, as it is noted.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Why.
    pub reason: Reason,
    /// The session that was named; empty where none was.
    pub session: &'a str,
    /// Whose request it was; empty where nobody's.
    pub principal: &'a str,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// Which program sent it, by its own word; empty where it says nothing.
    pub program: &'a str,
    /// What happened, in the words of the answer.
    pub fact: &'a str,
}

/// The refusals of one server.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: [AtomicU64; Reason::ALL.len()],
    hasher: RandomState,
    log: Mutex<Log>,
}

/// What the log was told of, and the last refusals.
#[derive(Debug, Default)]
struct Log {
    /// The minute of the lines, by uptime.
    minute: u32,
    /// Why and of whom there was one.
    told: Vec<(Reason, u32)>,
    untold: [u64; Reason::ALL.len()],
    /// Of refusals for their session.
    ring: Vec<Kept>,
}

/// One of the last refusals for their session.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kept {
    /// The session that was named, as a number that tells it from others.
    session: u32,
    /// How long the server had been up, in seconds.
    up: u32,
    memory_is_short: bool,
}

/// What the last refusals have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    AfterRestart,
    ShortOfMemory,
    OneSession,
}

impl Pattern {
    const ALL: [Self; 3] = [Self::AfterRestart, Self::ShortOfMemory, Self::OneSession];

    /// Whether the last refusals are like that, all [`ENOUGH`] of them.
    fn is_in(self, ring: &[Kept]) -> bool {
        let Some([first, rest @ ..]) = ring.len().checked_sub(ENOUGH).map(|start| &ring[start..]) else { return false };
        let mut all = std::iter::once(first).chain(rest);
        match self {
            Self::AfterRestart => all.all(|kept| kept.up < RECENT_S),
            Self::ShortOfMemory => all.all(|kept| kept.memory_is_short),
            Self::OneSession => rest.iter().all(|kept| kept.session == first.session),
        }
    }
}

impl Refusals {
    /// Counts a refusal; whether it is to be told.
    pub(super) fn note(&self, refused: &Refused<'_>, up: u32, memory: &Memory) -> bool {
        let reason = refused.reason as usize;
        self.counts[reason].fetch_add(1, Relaxed);
        // Who names no session is told apart by where they come from.
        let whose = if refused.session.is_empty() { self.hash(refused.address) } else { self.hash(refused.session) };
        let mut log = self.log();
        if refused.reason.is_of_session() {
            log.keep(Kept { session: whose, up, memory_is_short: memory.is_short() });
        }
        let line = (refused.reason, whose);
        let of_reason = log.told.iter().filter(|(reason, _)| *reason == refused.reason).count();
        let is_new = of_reason < LINES && log.told.len() < LINES_IN_ALL && !log.told.contains(&line);
        if is_new {
            log.told.push(line);
        } else {
            log.untold[reason] += 1;
        }
        is_new
    }

    pub(super) fn patterns(&self) -> Vec<Pattern> {
        let log = self.log();
        Pattern::ALL.into_iter().filter(|pattern| pattern.is_in(&log.ring)).collect()
    }

    /// What went untold, where its minute is over; then the next one begins.
    pub(super) fn untold(&self, up: u32) -> Vec<(Reason, u64)> {
        let mut log = self.log();
        let minute = up / MINUTE_S;
        if log.minute == minute {
            return Vec::new();
        }
        log.minute = minute;
        log.told.clear();
        let untold = std::mem::take(&mut log.untold);
        Reason::ALL.iter().copied().zip(untold).filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().map(|reason| (*reason, self.counts[*reason as usize].load(Relaxed)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is one")]
    fn hash(&self, of: impl Hash) -> u32 {
        self.hasher.hash_one(of) as u32
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn keep(&mut self, kept: Kept) {
        if self.ring.len() == KEPT {
            self.ring.remove(0);
        }
        self.ring.push(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason, session: &str) -> Refused<'_> {
        Refused { reason, session, principal: "", address: None, program: "", fact: "x" }
    }

    #[test]
    fn a_client_has_a_line_a_minute_a_reason_twenty_and_the_rest_is_a_number() {
        let (refusals, memory) = (Refusals::default(), Memory::default());
        let told = |reason, session: &str| refusals.note(&refused(reason, session), 0, &memory);
        assert!(told(Reason::Unknown, "a") && told(Reason::Ended, "a") && told(Reason::Unknown, "b"));
        assert!(!told(Reason::Unknown, "a"));
        let lines = (0..1000).filter(|n| told(Reason::Expired, &n.to_string())).count();
        assert_eq!(lines, LINES);
        assert_eq!(refusals.untold(0), [], "the minute goes on");
        assert_eq!(refusals.untold(MINUTE_S), [(Reason::Unknown, 1), (Reason::Expired, 1000 - 20)]);
        assert!(told(Reason::Unknown, "a"), "another minute");
        let count = |reason| refusals.counts().find(|(one, _)| *one == reason).map(|(_, count)| count);
        assert_eq!(
            [count(Reason::Expired), count(Reason::Unknown), count(Reason::NoToken)],
            [Some(1000), Some(4), Some(0)]
        );
    }

    #[test]
    fn what_is_remembered_is_small() {
        let (refusals, memory) = (Refusals::default(), Memory::default());
        for n in 0..100_000_u32 {
            let reason = Reason::ALL[n as usize % Reason::ALL.len()];
            refusals.note(&refused(reason, &n.to_string()), 0, &memory);
        }
        let log = refusals.log();
        assert!(log.told.len() <= LINES_IN_ALL && log.ring.len() == KEPT);
        let heap = log.told.capacity() * size_of::<(Reason, u32)>() + log.ring.capacity() * size_of::<Kept>();
        assert!(heap + size_of::<Refusals>() <= 2048, "{heap} and {}", size_of::<Refusals>());
    }

    #[test]
    fn three_refusals_that_are_alike_are_a_pattern() {
        let short = Memory { stalled_percent: Some(50.0), ..Memory::default() };
        let of = |cases: &[(&str, u32, &Memory)]| {
            let refusals = Refusals::default();
            for (session, up, memory) in cases {
                refusals.note(&refused(Reason::Unknown, session), *up, memory);
            }
            refusals.note(&refused(Reason::BadRequest, "of another kind"), 0, &short);
            refusals.patterns()
        };
        let calm = Memory::default();
        assert_eq!(of(&[("a", 400, &calm), ("b", 400, &calm), ("c", 400, &calm)]), []);
        assert_eq!(of(&[("a", 10, &calm), ("b", 20, &calm)]), [], "too few");
        assert_eq!(of(&[("a", 10, &calm), ("b", 20, &calm), ("c", 299, &calm)]), [Pattern::AfterRestart]);
        assert_eq!(of(&[("a", 400, &short), ("b", 400, &short), ("c", 400, &short)]), [Pattern::ShortOfMemory]);
        assert_eq!(
            of(&[("b", 1, &calm), ("a", 400, &calm), ("a", 400, &calm), ("a", 400, &calm)]),
            [Pattern::OneSession]
        );
    }
}
