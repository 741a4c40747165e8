//! How a database is opened, and what for.

use super::location::Location;

/// Why a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To serve from it: it is made if absent, migrated, and on SQLite locked against a second server.
    Server,
    /// To end sessions in it, or care for it: it must be there.
    Operator,
    /// To look at it: it must be there, and may be an original Archon's, which is left as it is.
    Reader,
    /// To bring its schema up to date: it is made if absent, and not locked, because servers may be at work on it.
    Migrator,
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Which one.
    pub location: Location,
    /// What for.
    pub role: Role,
    /// SQLite: survive power loss too (`--sync full`).
    pub sync_full: bool,
}
