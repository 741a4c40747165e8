//! Places that refill with time: how often somebody may do something.

use std::time::Duration;

/// How fast a bucket refills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Places a second.
    pub(super) per_second: f64,
    /// Places after a quiet time.
    pub(super) most: f64,
}

/// Places of one owner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    places: f64,
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(now_ms: u64, pace: Pace) -> Self {
        Self { places: pace.most, at_ms: now_ms }
    }

    /// Takes a place, if there is one.
    pub(super) fn take(&mut self, now_ms: u64, pace: Pace) -> bool {
        self.refill(now_ms, pace);
        let has_place = self.places >= 1.0;
        if has_place {
            self.places -= 1.0;
        }
        has_place
    }

    /// Whether nothing was taken that has not come back: a new one would be the same.
    pub(super) fn is_full(mut self, now_ms: u64, pace: Pace) -> bool {
        self.refill(now_ms, pace);
        self.places >= pace.most
    }

    /// How many places were taken that have not come back.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor beyond the most")]
    pub(super) fn taken(mut self, now_ms: u64, pace: Pace) -> u64 {
        self.refill(now_ms, pace);
        (pace.most - self.places).ceil() as u64
    }

    fn refill(&mut self, now_ms: u64, pace: Pace) {
        let since = Duration::from_millis(now_ms.saturating_sub(self.at_ms)).as_secs_f64();
        self.places = since.mul_add(pace.per_second, self.places).min(pace.most);
        self.at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_bursts_through_and_then_the_rate() {
        let pace = Pace { per_second: 2.0, most: 20.0 };
        let mut bucket = Bucket::full(0, pace);
        let mut admitted = |at_ms: u64| bucket.take(at_ms, pace);
        assert_eq!((0..30).filter(|_| admitted(0)).count(), 20);
        assert!(!admitted(400) && admitted(500) && !admitted(999) && admitted(1000));
        assert_eq!((0..30).filter(|_| admitted(3_600_000)).count(), 20, "no more than a burst gathers");
    }

    #[test]
    fn one_that_has_refilled_is_as_good_as_new() {
        let pace = Pace { per_second: 0.5, most: 4.0 };
        let mut bucket = Bucket::full(1000, pace);
        assert!(bucket.is_full(1000, pace));
        assert!(bucket.take(1000, pace) && bucket.take(1000, pace));
        assert_eq!([bucket.taken(1000, pace), bucket.taken(2000, pace), bucket.taken(9000, pace)], [2, 2, 0]);
        assert!(!bucket.is_full(4999, pace) && bucket.is_full(5000, pace));
    }
}
