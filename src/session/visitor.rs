//! Who asks.

use std::sync::Arc;

use super::Live;
use super::running::Runs;
use crate::protocol::capabilities::ClientCapabilities;
use crate::protocol::level::Level;
use crate::protocol::revision::Revision;
use crate::store::sessions::Ended;

/// Whoever sends a request. In the legacy era that is a session; the modern one, which has none, has its place here.
#[derive(Debug, Clone)]
pub enum Visitor {
    /// A client with a session, valid.
    Session(Arc<Live>),
}

impl Visitor {
    /// The session.
    pub fn live(&self) -> &Arc<Live> {
        match self {
            Self::Session(live) => live,
        }
    }

    /// The id of its session.
    pub fn id(&self) -> &Arc<str> {
        &self.live().id
    }

    /// Whose it is; empty where no tokens are asked for.
    pub fn principal(&self) -> &Arc<str> {
        &self.live().principal
    }

    /// The client's program.
    pub fn client_type(&self) -> &Arc<str> {
        &self.live().client_type
    }

    /// The revision that it speaks.
    pub fn revision(&self) -> Revision {
        self.live().revision
    }

    /// Which questions it answers.
    pub fn capabilities(&self) -> ClientCapabilities {
        self.live().capabilities
    }

    /// The least serious log messages that it wants to hear.
    pub fn log_level(&self) -> Level {
        self.live().log_level()
    }

    /// Its requests that run.
    pub fn runs(&self) -> &Arc<Runs> {
        self.live().runs()
    }

    /// The end of its session, where that was made or seen here.
    pub fn ended(&self) -> Option<&Ended> {
        self.live().ended()
    }
}
