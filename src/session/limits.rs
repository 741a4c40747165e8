//! Limits that are reached: each is counted, and told in the log once; what follows is told as a number a minute, because
//! whoever reaches a limit on purpose does it again and again.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_mins(1);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Live sessions in all.
    Sessions,
    /// Live sessions of one principal.
    SessionsPerPrincipal,
    /// Sessions that one principal opens within an hour.
    SessionsPerHour,
    /// Sessions that one principal or address opens a second.
    InitializeRate,
    /// The size of the database.
    DatabaseSize,
    /// The space that is left on the database's disk.
    DiskSpace,
    /// Open connections.
    Connections,
    /// Requests of one principal or address that run at once.
    Requests,
    /// Bytes of requests that are on their way or being handled.
    RequestBytes,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Sessions,
        Self::SessionsPerPrincipal,
        Self::SessionsPerHour,
        Self::InitializeRate,
        Self::DatabaseSize,
        Self::DiskSpace,
        Self::Connections,
        Self::Requests,
        Self::RequestBytes,
    ];

    /// Its name, as in `/metrics`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::SessionsPerPrincipal => "sessions_per_principal",
            Self::SessionsPerHour => "sessions_per_hour",
            Self::InitializeRate => "initialize_burst",
            Self::DatabaseSize => "database_bytes",
            Self::DiskSpace => "disk_free_bytes",
            Self::Connections => "connections",
            Self::Requests => "requests_per_client",
            Self::RequestBytes => "request_bytes",
        }
    }
}

/// The limits of one server, as far as they were reached.
#[derive(Debug, Default)]
pub struct Reached {
    limits: Mutex<[Times; Limit::ALL.len()]>,
}

/// How often one was.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    count: u64,
    /// How many of them the log was told of, and when last.
    told: u64,
    told_at: Option<Instant>,
}

impl Reached {
    /// A limit was reached: what happened is told, unless the log has heard of that limit within a minute.
    pub fn note(&self, limit: Limit, fact: impl Display) {
        if self.counted(limit, Instant::now()) {
            tracing::warn!(limit = limit.as_str(), "a limit is reached: {fact}");
        }
    }

    /// How often it was reached.
    pub fn count(&self, limit: Limit) -> u64 {
        self.times()[limit as usize].count
    }

    /// Tells how often limits were reached since the log heard of them, where that is a minute ago. To be called now and then.
    pub fn log_reached(&self) {
        for (limit, times) in self.untold(Instant::now()) {
            tracing::warn!(limit = limit.as_str(), "a limit was reached {times} more times: {}", limit.as_str());
        }
    }

    /// Counts it; whether it is to be told.
    fn counted(&self, limit: Limit, now: Instant) -> bool {
        let times = &mut self.times()[limit as usize];
        times.count += 1;
        let is_new = times.told_at.is_none();
        if is_new {
            (times.told, times.told_at) = (times.count, Some(now));
        }
        is_new
    }

    /// What is to be told now. A limit that was left alone for a minute is new when it is reached again.
    fn untold(&self, now: Instant) -> Vec<(Limit, u64)> {
        let mut limits = self.times();
        let due = Limit::ALL.into_iter().filter_map(|limit| {
            let times = &mut limits[limit as usize];
            if now.duration_since(times.told_at?) < MINUTE {
                return None;
            }
            let untold = times.count - times.told;
            (times.told, times.told_at) = (times.count, (untold > 0).then_some(now));
            (untold > 0).then_some((limit, untold))
        });
        due.collect()
    }

    fn times(&self) -> MutexGuard<'_, [Times; Limit::ALL.len()]> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_and_then_a_number_a_minute() {
        let (reached, began) = (Reached::default(), Instant::now());
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        assert!(reached.counted(Limit::Requests, at(0)));
        assert!((1..50).all(|second| !reached.counted(Limit::Requests, at(second))));
        assert!(reached.counted(Limit::RequestBytes, at(50)), "each by itself");
        assert_eq!(reached.untold(at(59)), []);
        assert_eq!(reached.untold(at(60)), [(Limit::Requests, 49)]);
        assert!(!reached.counted(Limit::Requests, at(61)));
        assert_eq!(reached.untold(at(110)), [], "one was reached once, and the other is not due");
        assert_eq!(reached.untold(at(120)), [(Limit::Requests, 1)]);
        assert_eq!(reached.untold(at(180)), []);
        assert!(reached.counted(Limit::Requests, at(181)), "it is news again");
        assert_eq!((reached.count(Limit::Requests), reached.count(Limit::RequestBytes)), (52, 1));
    }

    #[test]
    fn every_limit_has_its_place() {
        assert!(Limit::ALL.iter().enumerate().all(|(place, limit)| *limit as usize == place));
    }
}
