//! Changes in a session's life, and who made them.

use super::word::words;

words! {
    /// What happened to a session: the word in the `kind` column.
    pub enum EventKind, "kind of event" {
        /// A client connected.
        Initialised = "initialised",
        /// An Archon session was opened.
        Created = "created",
        /// A session that a server before this one had was used again.
        Recovered = "recovered",
        /// A client connected anew while its old session lived.
        Reinitialised = "reinitialised",
        /// Somebody asked for a session that is not his.
        Refused = "refused",
        /// An operator ordered its end, and said why.
        Expire = "expire",
        /// It ended.
        Ended = "ended",
    }
}

words! {
    /// Who ended a session or caused an event: the words in `ended_by` and `actor` that are ours. Any other is an
    /// operator's name.
    pub enum Actor, "actor" {
        /// The session's client.
        Client = "client",
        /// A server.
        Server = "server",
        /// Somebody who wrote to the database by hand.
        Sql = "sql",
    }
}
