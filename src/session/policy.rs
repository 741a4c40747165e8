//! The rules that the operator chose, and what follows from them for a session's end.

use std::time::Duration;

use super::caps::Caps;
use crate::model::machine::Machine;
use crate::model::timestamp::Timestamp;
use crate::store::boots::{SeenEnd, ServerName};

/// The rules that the operator chose.
#[derive(Debug, Clone)]
pub struct Policy {
    /// An Archon session that is not used for longer than this ends; its connection goes on, and opens the next one.
    pub timeout: Duration,
    /// A connection that is not used for longer than this ends.
    pub protocol_timeout: Duration,
    /// A connection older than this ends, used or not.
    pub max_age: Option<Duration>,
    /// The most of the time without a server that is given back to idle sessions.
    pub recover_window: Duration,
    /// How often sessions past their time are ended.
    pub cleanup_interval: Duration,
    /// Request rows, events and ended sessions older than this are removed; `None` keeps them for ever.
    pub retention: Option<Duration>,
    /// The same for captured words, which may be more private than useful.
    pub capture_retention: Option<Duration>,
    /// How long a session that was valid is trusted while the store does not answer.
    pub store_grace: Duration,
    /// How many sessions there may be.
    pub caps: Caps,
    /// How tokens are counted; recorded with the boot.
    pub token_method: &'static str,
    /// Where the server runs; recorded with the boot.
    pub deployment: Deployment,
    /// Called each second by the thread that ticks the clock, whatever the database does: a watchdog waits for it.
    pub on_tick: Option<fn()>,
}

/// Where and as which a server runs.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Where it listens, if it does.
    pub listen: Option<String>,
    /// Which of the database's servers it is.
    pub name: ServerName,
    /// What whoever started it saw of the end of the one before: its process, and how it ended.
    pub former: Option<(u32, SeenEnd)>,
    /// What tells how memory is.
    pub machine: Machine,
}

impl Policy {
    /// The end of an Archon session's time: min(last use + timeout, start + greatest age).
    pub fn archon_end(&self, started: Timestamp, last_use: Timestamp) -> Timestamp {
        self.not_too_old(started, last_use.plus(self.timeout))
    }

    /// The end of a connection's time, likewise.
    pub fn protocol_end(&self, started: Timestamp, last_use: Timestamp) -> Timestamp {
        self.not_too_old(started, last_use.plus(self.protocol_timeout))
    }

    /// That moment, or that of the greatest age if it comes before.
    pub(super) fn not_too_old(&self, started: Timestamp, end: Timestamp) -> Timestamp {
        self.max_age.map_or(end, |age| end.min(started.plus(age)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(1),
            protocol_timeout: Duration::from_mins(2),
            max_age: Some(Duration::from_secs(90)),
            recover_window: Duration::ZERO,
            cleanup_interval: Duration::ZERO,
            retention: None,
            capture_retention: None,
            store_grace: Duration::ZERO,
            caps: Caps::default(),
            token_method: "off",
            deployment: Deployment::default(),
            on_tick: None,
        }
    }

    #[test]
    fn the_end_of_time_is_the_earlier_of_idle_and_age() {
        let start = Timestamp::from_millis(0);
        assert_eq!(policy().archon_end(start, start).millis(), 60_000);
        assert_eq!(policy().archon_end(start, Timestamp::from_millis(50_000)).millis(), 90_000);
        assert_eq!(policy().protocol_end(start, start).millis(), 90_000);
        let ageless = Policy { max_age: None, ..policy() };
        assert_eq!(ageless.protocol_end(start, start).millis(), 120_000);
    }
}
