//! What is known of a server.

use std::collections::BTreeMap;

use crate::protocol::revision::Revision;

/// What is known of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it is one of ours: it names an Archon session.
    pub is_archonctl: bool,
    /// Whether it issues session ids.
    pub has_sessions: bool,
    /// Its name and version.
    pub server: String,
    /// For each revision, the one that it agrees on.
    pub agreed: BTreeMap<String, String>,
}

impl Facts {
    /// Of one of our own.
    pub(super) fn ours() -> Self {
        let agreed = Revision::ALL.map(|r| (r.as_str().to_owned(), r.as_str().to_owned())).into();
        Self { is_archonctl: true, has_sessions: true, server: "archonctl".to_owned(), agreed }
    }
}
