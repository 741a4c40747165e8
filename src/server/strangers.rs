//! Who was refused at the door, in the log: an operator whose clients come by a new name sees it there. A few a minute,
//! because anybody can knock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of refusals that are logged in one minute; of the others, how many there were.
const TOLD: u32 = 10;
const MINUTE: Duration = Duration::from_mins(1);

/// What the log was told.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    began: Option<Instant>,
    count: u32,
}

impl Strangers {
    /// Notes a refusal.
    pub(super) fn note(&self, refusal: &str) {
        match self.counted(Instant::now()) {
            Some(0) => tracing::warn!("refused at the door: {refusal}"),
            Some(more) => tracing::warn!("refused at the door: {refusal} ({more} more in the minute before)"),
            None => {}
        }
    }

    /// How many went untold before this one; none where it goes untold itself.
    fn counted(&self, now: Instant) -> Option<u32> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let mut untold = 0;
        if minute.began.is_none_or(|began| now.duration_since(began) >= MINUTE) {
            untold = minute.count.saturating_sub(TOLD);
            *minute = Minute { began: Some(now), count: 0 };
        }
        minute.count = minute.count.saturating_add(1);
        (minute.count <= TOLD).then_some(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        let told = |seconds: u64| strangers.counted(now + Duration::from_secs(seconds));
        assert!((0..10).all(|second| told(second) == Some(0)));
        assert!((10..20).all(|second| told(second).is_none()));
        assert_eq!([told(60), told(61), told(200)], [Some(10), Some(0), Some(0)]);
    }
}
