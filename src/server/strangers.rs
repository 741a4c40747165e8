//! Who was refused at the door: counted by reason, and told in the log, where an operator sees whose token is wrong, and whose
//! clients come by a new name. Anybody can knock, so an address has one line a minute, and the next one says how many there
//! were in between.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often an address has a line in the log.
const MINUTE: Duration = Duration::from_mins(1);
/// The number of addresses that are remembered; those beyond it share one line a minute.
const REMEMBERED: usize = 64;

/// Why somebody was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    NoToken,
    WrongToken,
    ForeignHost,
    ForeignOrigin,
}

impl Cause {
    const ALL: [Self; 4] = [Self::NoToken, Self::WrongToken, Self::ForeignHost, Self::ForeignOrigin];

    /// The word for it in the metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::ForeignHost => "foreign_host",
            Self::ForeignOrigin => "foreign_origin",
        }
    }
}

/// Who was refused.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    counts: [AtomicU64; Cause::ALL.len()],
    lines: Mutex<HashMap<Whose, LastLine>>,
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Of(IpAddr),
    /// Those who come by a socket in the file system.
    Local,
    /// All whom there is no room for.
    Others,
}

/// The last line of an address.
#[derive(Debug)]
struct LastLine {
    at: Instant,
    /// Refusals since then.
    since: u64,
}

impl Strangers {
    /// Counts a refusal, and tells it if its address has had no line for a minute.
    pub(super) fn note(&self, cause: Cause, address: Option<IpAddr>, what: &str) {
        self.counts[cause as usize].fetch_add(1, Relaxed);
        let Some(since) = self.untold(address, Instant::now()) else { return };
        let from = address.map_or_else(|| "a local socket".to_owned(), |address| address.to_string());
        let more = if since == 0 { String::new() } else { format!(" ({since} more since the last line)") };
        tracing::warn!(%from, "refused at the door: {what}{more}");
    }

    /// How many were refused since the server began, by reason.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Cause::ALL.into_iter().map(|cause| (cause.as_str(), self.counts[cause as usize].load(Relaxed)))
    }

    /// How many refusals went untold before this one; `None` where it goes untold itself.
    fn untold(&self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |told: &LastLine| now.duration_since(told.at) >= MINUTE;
        let mut whose = address.map_or(Whose::Local, Whose::Of);
        if !lines.contains_key(&whose) && lines.len() >= REMEMBERED {
            lines.retain(|_, told| !is_over(told));
            if lines.len() >= REMEMBERED {
                whose = Whose::Others;
            }
        }
        let line = LastLine { at: now, since: 0 };
        match lines.entry(whose) {
            Entry::Vacant(free) => {
                free.insert(line);
                Some(0)
            }
            Entry::Occupied(mut told) if is_over(told.get()) => Some(told.insert(line).since),
            Entry::Occupied(mut told) => {
                told.get_mut().since += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_line_a_minute_and_a_number() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        let told = |last: u8, seconds: u64| {
            strangers.untold(Some([192, 0, 2, last].into()), now + Duration::from_secs(seconds))
        };
        assert_eq!([told(1, 0), told(2, 1), told(1, 2), told(1, 59)], [Some(0), Some(0), None, None]);
        assert_eq!([told(1, 60), told(1, 61), told(2, 61)], [Some(2), None, Some(0)]);
        assert_eq!(strangers.untold(None, now), Some(0), "a local one has a line of its own");
    }

    #[test]
    fn a_flood_from_everywhere_stays_small() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        let from =
            |n: u32, seconds| strangers.untold(Some(IpAddr::from(n.to_be_bytes())), now + Duration::from_secs(seconds));
        let lines = (0..10_000).filter(|n| from(*n, 1).is_some()).count();
        assert_eq!((lines, strangers.lines.lock().expect("lock").len()), (REMEMBERED + 1, REMEMBERED + 1));
        assert_eq!(from(10_000, 61), Some(0), "there is room again");
        assert!(strangers.lines.lock().expect("lock").len() <= REMEMBERED + 1);
    }

    #[test]
    fn causes_are_counted_whether_they_are_told_or_not() {
        let strangers = Strangers::default();
        for cause in [Cause::NoToken, Cause::WrongToken, Cause::WrongToken, Cause::ForeignOrigin] {
            strangers.note(cause, None, "x");
        }
        let counts: Vec<_> = strangers.counts().collect();
        assert_eq!(counts, [("no_token", 1), ("wrong_token", 2), ("foreign_host", 0), ("foreign_origin", 1)]);
    }
}
