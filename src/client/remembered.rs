//! What is kept of a session from one run of a program to the next.

use serde::{Deserialize, Serialize};

use super::cookies::Cookie;
use super::options_error::OptionsError;
use super::session::{Session, check_id};
use crate::model::timestamp::Timestamp;
use crate::protocol::initialize::Implementation;
use crate::protocol::revision::Revision;

/// A session as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The protocol session, if the server keeps one.
    pub protocol_session_id: Option<String>,
    /// The Archon session, if the server is of our kind.
    pub archon_session_id: Option<String>,
    /// The revision agreed on.
    pub revision: Option<String>,
    /// The server's name and version.
    pub server: Implementation,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The cookies that the server had set by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Cookie>,
}

impl Remembered {
    /// What there is to remember of a session, and of the cookies beside it.
    pub fn of(session: &Session, cookies: Vec<Cookie>, opened_at: Timestamp) -> Self {
        Self {
            protocol_session_id: session.id.clone(),
            archon_session_id: session.archon_id.clone(),
            revision: session.revision.map(|r| r.as_str().to_owned()),
            server: session.server.clone(),
            opened_at,
            cookies,
        }
    }

    /// The session again.
    ///
    /// # Errors
    /// When an id cannot be one.
    pub fn session(&self) -> Result<Session, OptionsError> {
        self.protocol_session_id.iter().chain(&self.archon_session_id).try_for_each(|id| check_id(id))?;
        Ok(Session {
            id: self.protocol_session_id.clone(),
            archon_id: self.archon_session_id.clone(),
            revision: self.revision.as_deref().and_then(Revision::parse),
            server: self.server.clone(),
        })
    }
}
