//! How far a request has come: told by what runs, asked by whoever may have to begin its answer before it is there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use uuid::Uuid;

/// What is settled about the answer of a request that still runs.
#[derive(Debug, Default)]
pub struct Begun {
    admitted: AtomicBool,
    archon: OnceLock<Uuid>,
}

impl Begun {
    /// Its session is valid: it is not refused any more for who asks, and its answer may take its time.
    pub fn admit(&self) {
        self.admitted.store(true, Relaxed);
    }

    /// Whether its session was found valid.
    pub fn is_admitted(&self) -> bool {
        self.admitted.load(Relaxed)
    }

    /// Its row will stand under this Archon session. The first to tell is heard: the calls of a batch share one answer.
    pub fn tell(&self, archon: Uuid) {
        _ = self.archon.set(archon);
    }

    /// The Archon session of its row, once that is known.
    pub fn archon(&self) -> Option<Uuid> {
        self.archon.get().copied()
    }
}
