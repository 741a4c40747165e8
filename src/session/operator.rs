//! An operator ends sessions, from another process than the server's: running servers honour it when their lease is over,
//! within about a second.

use std::collections::HashSet;

use uuid::Uuid;

use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::store::sessions::Ending;
use crate::store::{Store, StoreError};

/// The number of sessions that one transaction ends, so that none holds a server up for long.
const CHUNK: usize = 500;
/// How often a chunk is tried: a server that locks the same rows may be in the way.
const TRIES: u32 = 3;

/// The sessions to end.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Connections: the Archon session of each ends with it, unless another live connection is bound to it.
    pub connections: Vec<String>,
    /// Archon sessions: every connection that is bound to one ends with it.
    pub archon: Vec<Uuid>,
}

impl Targets {
    /// Adds a session as lists know it: its connection, or, where it has none, the Archon session.
    pub fn add(&mut self, archon: &str, connection: Option<&str>) {
        match connection {
            Some(id) => self.connections.push(id.to_owned()),
            None => self.archon.extend(Uuid::parse_str(archon)),
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
    // By id, so that two who end sessions meet rows in the same order.
    let (mut archon, mut connections) = (targets.archon.clone(), targets.connections.clone());
    archon.sort_unstable();
    connections.sort_unstable();
    for chunk in archon.chunks(CHUNK) {
        let reaped = retried(|| store.end_together(chunk, &[], ending, order.note.as_deref())).await?;
        ended.extend(reaped.archon.iter().map(Uuid::to_string));
    }
    for chunk in connections.chunks(CHUNK) {
        let reaped = retried(|| store.end_together(&[], chunk, ending, order.note.as_deref())).await?;
        ended.extend(reaped.protocol);
    }
    Ok(ended)
}

async fn retried<T, F: Future<Output = Result<T, StoreError>>>(work: impl Fn() -> F) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(StoreError::Unavailable(_) | StoreError::Held(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}
