//! The one clock. `now` is read here, passed down and bound into SQL; no statement asks the database for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::timestamp::Timestamp;

/// Wall time with a correction. The correction is what a test advances (`serve --test-clock`) and what brings several
/// servers on one PostgreSQL to that database's time.
#[derive(Debug, Clone)]
pub struct Clock {
    correction: watch::Sender<Correction>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Correction {
    /// Milliseconds by which a test has moved the clock ahead.
    advanced: i64,
    /// Milliseconds from our clock to the database's.
    database: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { correction: watch::Sender::new(Correction::default()) }
    }
}

impl Clock {
    /// The corrected wall time.
    pub fn now(&self) -> Timestamp {
        let correction = *self.correction.borrow();
        Timestamp::from_millis(system_millis().saturating_add(correction.advanced).saturating_add(correction.database))
    }

    /// The wall time of this machine, for measuring the offset to a database.
    pub fn uncorrected() -> Timestamp {
        Timestamp::from_millis(system_millis())
    }

    /// Moves the clock ahead and wakes whoever sleeps by it.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.correction.send_modify(|c| c.advanced = c.advanced.saturating_add(millis));
    }

    /// Sets the offset to the database's clock, in milliseconds.
    pub fn follow_database(&self, offset_ms: i64) {
        self.correction.send_if_modified(|c| {
            let moved = c.database != offset_ms;
            c.database = offset_ms;
            moved
        });
    }

    /// Sleeps until that moment on this clock, however it gets there.
    pub async fn sleep_until(&self, moment: Timestamp) {
        let mut moved = self.correction.subscribe();
        loop {
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // The sender lives in `self`: this cannot fail while we run.
                _ = moved.changed() => {}
            }
        }
    }

    /// Sleeps that long on this clock.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().plus(duration)).await;
    }
}

fn system_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn advancing_wakes_sleepers() {
        let clock = Clock::default();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_hours(1)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(3601));
        tokio::time::timeout(Duration::from_secs(5), sleeper).await.expect("woken").expect("joined");
    }
}
