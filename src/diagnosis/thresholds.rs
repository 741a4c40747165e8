//! From where on something is wrong.

use std::time::Duration;

/// From where on something is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Thresholds {
    /// With the server and its database.
    pub server: ServerThresholds,
    /// With calls.
    pub calls: CallThresholds,
    /// With a session.
    pub session: SessionThresholds,
    /// With a client.
    pub client: ClientThresholds,
}

/// From where on something is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerThresholds {
    /// A server that has not cleaned up for this long does not do it any more: it does each five minutes, unless it was
    /// told otherwise.
    pub no_cleanup: Duration,
    /// A database that takes this long to answer a small question is slow.
    pub slow_database: Duration,
    /// A server that has ended this often without being told to, …
    pub crashes: usize,
    /// … of the starts within this time, is in a loop.
    pub crash_window: Duration,
}

/// From where on something is wrong with calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallThresholds {
    /// Of fewer calls than this no share is taken.
    pub enough: i64,
    /// More than one error in this number of calls is too many.
    pub one_in: i64,
    /// How many minutes back the calls of all sessions are looked at.
    pub minutes: u64,
    /// A call is slow when it took this many times what 95 % of its tool's calls take, …
    pub slow_factor: f64,
    /// … and at least this many milliseconds.
    pub slow_ms: f64,
}

/// From where on something is wrong with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionThresholds {
    /// The same call that failed this often in a row is stuck.
    pub stuck_after: usize,
    /// One that has called nothing for this long is silent.
    pub silent_after: Duration,
    /// One with less time left than this is near its end.
    pub near_end: Duration,
}

/// From where on something is wrong with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientThresholds {
    /// A client of one user with this number of sessions in use has too many.
    pub crowd: i64,
    /// One that closed none has to have had this number of sessions run out of time, …
    pub timed_out: i64,
    /// … or to have this number open, before it is said to close none.
    pub open: i64,
}

impl Default for ServerThresholds {
    fn default() -> Self {
        Self {
            no_cleanup: Duration::from_mins(15),
            slow_database: Duration::from_millis(250),
            crashes: 3,
            crash_window: Duration::from_mins(15),
        }
    }
}

impl Default for CallThresholds {
    fn default() -> Self {
        Self { enough: 5, one_in: 5, minutes: 5, slow_factor: 3.0, slow_ms: 50.0 }
    }
}

impl Default for SessionThresholds {
    fn default() -> Self {
        Self { stuck_after: 3, silent_after: Duration::from_mins(1), near_end: Duration::from_mins(5) }
    }
}

impl Default for ClientThresholds {
    fn default() -> Self {
        Self { crowd: 20, timed_out: 3, open: 10 }
    }
}
