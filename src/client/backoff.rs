//! How long to wait before a request is sent again.

use std::time::Duration;

/// The longest `Retry-After` that we obey; a server that asks for more is tried again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// A wait that may take longer than this is said: a person would wonder.
pub(super) const LONG: Duration = Duration::from_secs(3);

/// Exponential backoff: how often, how long at first, how long at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The wait before the second attempt; each later one doubles.
    pub first: Duration,
    /// No wait is longer, unless the server asks for it.
    pub cap: Duration,
}

impl Backoff {
    /// For longer than a restart takes, that of a service manager included which waits five seconds before it: from seven
    /// to thirteen seconds.
    pub const PATIENT: Self = Self { attempts: 16, first: Duration::from_millis(200), cap: Duration::from_secs(1) };

    /// The longest that all waits together take where the server asks for none.
    pub(super) fn longest(&self) -> Duration {
        // Beyond the cap's first step all are the cap; no sum needs more of them than a person can wait for.
        let steps = (0..self.attempts.saturating_sub(1).min(1000)).map(|n| step(self, n));
        steps.fold(Duration::ZERO, Duration::saturating_add)
    }
}

fn step(backoff: &Backoff, attempt: u32) -> Duration {
    backoff.first.saturating_mul(2_u32.saturating_pow(attempt)).min(backoff.cap)
}

impl Default for Backoff {
    /// Four attempts in about a second: long enough for a server that restarts, short enough for a person who waits.
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(200), cap: Duration::from_secs(5) }
    }
}

/// The wait after the failed attempt number `attempt` (from 0): half of the exponential step for certain, the other half
/// by `jitter` (0 none of it, 255 all of it), so that clients cut off together do not come back together. Where the server
/// asks for more time (`Retry-After`), that takes the place of the certain half.
pub(super) fn next_delay(backoff: &Backoff, attempt: u32, retry_after: Option<Duration>, jitter: u8) -> Duration {
    let half = step(backoff, attempt) / 2;
    let certain = retry_after.map_or(half, |asked| asked.min(LONGEST_RETRY_AFTER).max(half));
    certain + half * u32::from(jitter) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patient_outlast_a_service_manager() {
        let patient = Backoff::PATIENT;
        let shortest: Duration = (0..patient.attempts - 1).map(|n| next_delay(&patient, n, None, 0)).sum();
        assert!(shortest > Duration::from_secs(6), "{shortest:?}");
        let longest: Duration = (0..patient.attempts - 1).map(|n| next_delay(&patient, n, None, 255)).sum();
        assert_eq!(longest, patient.longest());
        assert!(longest < Duration::from_secs(14), "{longest:?}");
        assert!(Backoff::default().longest() < LONG);
    }

    #[test]
    fn doubles_up_to_the_cap_and_obeys_the_server() {
        let ms = Duration::from_millis;
        let backoff = Backoff { attempts: 9, first: ms(100), cap: ms(1000) };
        for (attempt, retry_after, jitter, expected) in [
            (0, None, 0, ms(50)),
            (0, None, 255, ms(100)),
            (1, None, 255, ms(200)),
            (2, None, 255, ms(400)),
            (3, None, 0, ms(400)),
            (4, None, 255, ms(1000)),
            (40, None, 255, ms(1000)),
            (u32::MAX, None, 255, ms(1000)),
            (0, Some(ms(0)), 0, ms(50)),
            (0, Some(ms(2000)), 0, ms(2000)),
            (0, Some(ms(2000)), 255, ms(2050)),
            (0, Some(Duration::MAX), 0, LONGEST_RETRY_AFTER),
        ] {
            let delay = next_delay(&backoff, attempt, retry_after, jitter);
            assert_eq!(delay, expected, "attempt {attempt}, asked {retry_after:?}, jitter {jitter}");
        }
    }
}
