//! The requests of one visitor that run now: by their ids they are cancelled, and as long as there is one, its session is
//! in use.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::archon::Archon;
use crate::protocol::frame::is_same_id;

/// What runs.
#[derive(Debug, Default)]
pub struct Runs {
    list: Mutex<Vec<Run>>,
    /// Nobody is to use its results any more.
    revoked: AtomicBool,
}

/// What is known of a request that runs.
#[derive(Debug)]
struct Run {
    id: Arc<str>,
    token: CancellationToken,
    /// The Archon session that it runs in: the client may have named another than the bound one.
    archon: Option<Arc<Archon>>,
}

/// A request that runs. Ends with its drop.
#[derive(Debug)]
pub struct Running {
    runs: Arc<Runs>,
    token: CancellationToken,
    id: Arc<str>,
}

impl Runs {
    /// A request begins. `id` is its JSON-RPC id, by which `notifications/cancelled` names it.
    pub fn begin(self: &Arc<Self>, id: &str, archon: Option<&Arc<Archon>>) -> Running {
        let (token, id) = (CancellationToken::new(), Arc::from(id));
        self.list().push(Run { id: Arc::clone(&id), token: token.clone(), archon: archon.cloned() });
        // Its session may have been ended since it was validated.
        if self.revoked.load(SeqCst) {
            token.cancel();
        }
        Running { runs: self.clone(), token, id }
    }

    /// Cancels every running request of that id: clients do use one id twice, and then both are meant. How many.
    pub fn cancel(&self, id: &str) -> usize {
        let list = self.list();
        let meant = list.iter().filter(|run| is_same_id(&run.id, id));
        meant.map(|run| run.token.cancel()).count()
    }

    /// What runs is cancelled, and what begins from now on.
    pub(super) fn revoke(&self) {
        self.revoked.store(true, SeqCst);
        self.list().iter().for_each(|run| run.token.cancel());
    }

    /// Whether nothing runs.
    pub fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// The Archon sessions that they use.
    pub(super) fn archons(&self) -> Vec<Arc<Archon>> {
        self.list().iter().filter_map(|run| run.archon.clone()).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Run>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Fires when the client cancels the request or its session is ended by somebody.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut list = self.runs.list();
        // By the address of the id, not by its text: a second request of the same id stays.
        if let Some(place) = list.iter().position(|run| Arc::ptr_eq(&run.id, &self.id)) {
            list.swap_remove(place);
        }
    }
}
