//! Times and durations as people read them on a terminal.

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// How long ago a moment was, in its two largest units: `12s ago`, `3h 20m ago`.
pub(in crate::cli) fn ago(moment: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(moment)))
}

/// A duration in its two largest units, in whole seconds.
pub(in crate::cli) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

/// Milliseconds with as many digits as say something: `0.84ms`, `12.3ms`, `450ms`, `3.2s`.
pub(in crate::cli) fn millis(ms: f64) -> String {
    match ms {
        _ if ms < 10.0 => format!("{ms:.2}ms"),
        _ if ms < 100.0 => format!("{ms:.1}ms"),
        _ if ms < 1000.0 => format!("{ms:.0}ms"),
        _ if ms < 60_000.0 => format!("{:.1}s", ms / 1000.0),
        _ => span(Duration::from_secs_f64(ms / 1000.0)),
    }
}

/// A moment to the second, in UTC: `2026-01-10 12:00:00`.
pub(in crate::cli) fn when(moment: Timestamp) -> String {
    let mut text = moment.sql_text();
    text.truncate("2026-01-10 12:00:00".len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_two_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3660, "1h 01m"), (90_000, "1d 01h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        let now = Timestamp::from_millis(100_000);
        assert_eq!(ago(Timestamp::from_millis(88_000), now), "12s ago");
        assert_eq!(ago(Timestamp::from_millis(200_000), now), "0s ago", "a clock that is ahead");
        assert_eq!(when(Timestamp::from_millis(1_768_046_400_999)), "2026-01-10 12:00:00");
    }

    #[test]
    fn milliseconds_with_three_digits() {
        for (ms, text) in [(0.0, "0.00ms"), (0.841, "0.84ms"), (12.34, "12.3ms"), (450.2, "450ms"), (3210.0, "3.2s")] {
            assert_eq!(millis(ms), text);
        }
    }
}
