//! The catalogue that is served now. It is swapped as a whole: a call that runs keeps the one in which it began.

use std::sync::Arc;

use tokio::sync::watch;

use super::Catalog;

/// Holds the catalogue of one server.
#[derive(Debug)]
pub struct Current {
    now: watch::Sender<Arc<Catalog>>,
}

impl Current {
    /// Begins with this one.
    pub fn new(catalog: Catalog) -> Self {
        Self { now: watch::Sender::new(Arc::new(catalog)) }
    }

    /// The one that is served now.
    pub fn now(&self) -> Arc<Catalog> {
        self.now.borrow().clone()
    }

    /// From here on this one is served; whoever follows is told.
    pub fn replace(&self, catalog: Catalog) {
        self.now.send_replace(Arc::new(catalog));
    }

    /// Tells of replacements from now on.
    pub fn follow(&self) -> watch::Receiver<Arc<Catalog>> {
        self.now.subscribe()
    }
}
