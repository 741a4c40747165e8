//! Said once: a warning for the same thing is not repeated, and remembering costs a bounded amount.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

/// The number of things that are remembered (16 bytes each); beyond it all are forgotten, and may be said once more.
const REMEMBERED: usize = 4096;

/// What has been warned of.
#[derive(Debug, Default)]
pub(super) struct Warned {
    hasher: RandomState,
    said: Mutex<HashSet<u64>>,
}

impl Warned {
    /// Whether this is the first time.
    pub(super) fn first(&self, what: impl Hash) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= REMEMBERED {
            said.clear();
        }
        said.insert(self.hasher.hash_one(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_a_thing_once_and_stays_small() {
        let warned = Warned::default();
        assert!(warned.first(("a", 1)) && !warned.first(("a", 1)) && warned.first(("a", 2)));
        for n in 0..3 * REMEMBERED {
            warned.first(n);
        }
        assert!(warned.said.lock().expect("lock").len() <= REMEMBERED);
    }
}
