//! An operator ends sessions, from another process than the server's: running servers honour it when their lease is over,
//! within about a second.

use std::collections::HashSet;

use uuid::Uuid;

use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::store::ending::Ending;
use crate::store::{Store, StoreError};

/// One transaction ends so many, so that none holds a server up for long.
const CHUNK: usize = 500;
/// A chunk is tried so many times: a server that locks the same rows may be in the way.
const TRIES: u32 = 3;

/// The sessions to end.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Archon sessions; every protocol session bound to one ends with it.
    pub archon: Vec<Uuid>,
    /// Protocol sessions of clients that have called no tool.
    pub waiting: Vec<String>,
    /// Protocol sessions that end by themselves; their Archon session goes on if another one is bound to it.
    pub protocol: Vec<String>,
}

impl Targets {
    /// Adds a session as lists know it: its Archon session, or, where that is only reserved because its client has called
    /// no tool yet, its protocol session.
    pub fn add(&mut self, archon: &str, protocol: Option<&str>, called_tools: bool) {
        if called_tools {
            self.archon.extend(Uuid::parse_str(archon));
        } else {
            self.waiting.extend(protocol.map(str::to_owned));
        }
    }
}

/// Who ends them, why and when.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who: `user@host`.
    pub by: String,
    /// Why, in words.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Ends sessions; returns the ids of those that it ended. Others had ended before.
///
/// # Errors
/// [`StoreError`]; chunks before it are done.
pub async fn expire(store: &Store, targets: &Targets, order: &Order) -> Result<HashSet<String>, StoreError> {
    let ending = Ending { reason: EndReason::Operator, by: &order.by, at: order.at };
    let mut ended = HashSet::new();
    for chunk in targets.archon.chunks(CHUNK) {
        let reaped = retried(|| store.end_together(chunk, &[], ending, order.note.as_deref())).await?;
        ended.extend(reaped.archon.iter().map(Uuid::to_string));
    }
    for chunk in targets.waiting.chunks(CHUNK) {
        let reaped = retried(|| store.end_together(&[], chunk, ending, order.note.as_deref())).await?;
        ended.extend(reaped.protocol);
    }
    for id in &targets.protocol {
        if retried(|| store.end_protocol_session(id, ending)).await? {
            ended.insert(id.clone());
            if let Some(note) = &order.note {
                retried(|| store.note_end(id, ending, note)).await?;
            }
        }
    }
    Ok(ended)
}

async fn retried<T, F: Future<Output = Result<T, StoreError>>>(work: impl Fn() -> F) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(StoreError::Unavailable(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}
