//! How memory is: looked at seldom, since that reads a handful of the kernel's files.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::machine::{Machine, Memory};

/// Nobody looks more often than this as a matter of course.
const EVERY: Duration = Duration::from_secs(30);
/// Nor more often than this when something has failed.
const ON_FAILURE: Duration = Duration::from_secs(1);

/// The last look at memory.
#[derive(Debug, Default)]
pub(super) struct MemoryWatch(Mutex<Option<(Instant, Memory)>>);

impl MemoryWatch {
    /// How memory was within the last 30 seconds.
    pub(super) fn recent(&self, machine: &Machine) -> Memory {
        self.looked(machine, EVERY)
    }

    /// How memory is now that something has failed.
    pub(super) fn on_failure(&self, machine: &Machine) -> Memory {
        self.looked(machine, ON_FAILURE)
    }

    fn looked(&self, machine: &Machine, age: Duration) -> Memory {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, memory)) if at.elapsed() < age => memory,
            _ => last.insert((Instant::now(), machine.memory())).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_seldom_and_sooner_after_a_failure() {
        let watch = MemoryWatch::default();
        let (there, gone) = (Machine::default(), Machine::under("/nowhere at all"));
        let seen = watch.recent(&there);
        assert_ne!(seen, Memory::default());
        assert_eq!([watch.recent(&gone), watch.on_failure(&gone)], [seen; 2], "it looked just now");
        let age = |seconds| {
            let at = Instant::now().checked_sub(Duration::from_secs(seconds)).expect("a moment ago");
            *watch.0.lock().expect("a lock") = Some((at, seen));
        };
        age(2);
        assert_eq!(watch.recent(&gone), seen);
        assert_eq!(watch.on_failure(&gone), Memory::default());
        age(31);
        assert_eq!(watch.recent(&gone), Memory::default());
    }
}
