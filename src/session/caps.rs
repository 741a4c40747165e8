//! What an operator allows of sessions: how many there may be, and how fast they may be opened.

use super::limits::Limit;

/// What an operator allows. `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caps {
    /// Live connections in all, whichever server opened them. Where there are as many, those that have been idle for longest
    /// give way, if they are idle beyond the session timeout.
    pub sessions: Option<u64>,
    /// Live connections of one principal; also those that it may open within an hour, ended or not, but at least
    /// [`HOURLY`]: to open and to close fills a disk, too.
    pub per_principal: Option<u64>,
    /// Sessions that one principal, or an address without one, may open a second here, with bursts of [`BURST`] seconds'
    /// worth.
    pub opened_per_second: Option<u32>,
    /// The largest database into which sessions are opened, in bytes.
    pub database_bytes: Option<u64>,
}

impl Caps {
    /// How many sessions one principal may open within an hour.
    pub fn per_hour(self) -> Option<u64> {
        self.per_principal.map(|most| most.max(HOURLY))
    }

    /// How many somebody may open at once after a quiet time.
    pub fn burst(self) -> Option<u64> {
        self.opened_per_second.map(|rate| u64::from(rate) * u64::from(BURST))
    }
}

/// How many seconds' worth of sessions somebody may open at once after a quiet time.
pub const BURST: u32 = 20;
/// The number of sessions that a principal may open within an hour, however few it may have at once.
pub const HOURLY: u64 = 1000;

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// The server is full.
    Sessions(u64),
    /// The principal has as many as it may have.
    PerPrincipal(u64),
    /// It has opened as many within an hour as it may.
    PerHour(u64),
    /// It opens them too fast.
    Rate(u32),
    /// The database is as large as it may be, in bytes.
    DatabaseSize(u64),
    /// The database's disk is nearly full; the number of bytes that are left.
    DiskSpace(u64),
}

impl Cap {
    /// What is limited by it.
    pub fn limit(self) -> Limit {
        match self {
            Self::Sessions(_) => Limit::Sessions,
            Self::PerPrincipal(_) => Limit::SessionsPerPrincipal,
            Self::PerHour(_) => Limit::SessionsPerHour,
            Self::Rate(_) => Limit::InitializeRate,
            Self::DatabaseSize(_) => Limit::DatabaseSize,
            Self::DiskSpace(_) => Limit::DiskSpace,
        }
    }
}

impl std::fmt::Display for Cap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sessions(n) => write!(f, "the server's limit of {n} live sessions is reached"),
            Self::PerPrincipal(n) => write!(f, "your limit of {n} live sessions is reached"),
            Self::PerHour(n) => write!(f, "your limit of {n} sessions opened within an hour is reached"),
            Self::Rate(n) => write!(f, "you open more than {n} sessions per second"),
            Self::DatabaseSize(n) => write!(f, "the database has {} MiB, which is as much as it may have", n >> 20),
            Self::DiskSpace(n) => write!(f, "only {} MiB are left on the database's disk", n >> 20),
        }
    }
}
