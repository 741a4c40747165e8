//! Figures as people read them: short, with as many digits as say something.

use std::time::Duration;

/// A duration in its two largest units: `12s`, `3m20s`, `2h05m`, `4d03h`.
pub fn span(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// Milliseconds with as many digits as say something.
pub fn millis(ms: f64) -> String {
    match ms {
        _ if ms > 0.0 && ms < 0.1 => format!("{ms:.2}ms"),
        _ if ms < 10.0 => format!("{ms:.1}ms"),
        _ if ms < 1000.0 => format!("{ms:.0}ms"),
        _ if ms < 60_000.0 => format!("{:.1}s", ms / 1000.0),
        _ => span(Duration::from_secs_f64(ms / 1000.0)),
    }
}

/// A count: whole below ten thousand, then `12.3k`, `4.5M`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn count(n: i64) -> String {
    match n {
        ..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// A share of a whole: `12%`, `0.8%`; nothing of nothing.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        return String::new();
    }
    let share = part as f64 * 100.0 / whole as f64;
    // Nearly all is not all.
    if part < whole && share >= 99.0 {
        return format!("{:.1}%", share.min(99.9));
    }
    if part == 0 || part == whole || share >= 10.0 { format!("{share:.0}%") } else { format!("{share:.1}%") }
}

/// A size, in the unit that fits: powers of 1,024.
pub fn bytes(n: i64) -> String {
    match n {
        ..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{} KiB", n >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", n >> 20),
        _ => format!("{}.{} GiB", n >> 30, ((n & 0x3fff_ffff) * 10) >> 30),
    }
}

/// One thing or several: `1 call`, `3 calls`.
pub fn several(n: i64, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{} {thing}s", count(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_say_something() {
        assert_eq!([span(Duration::from_secs(59)), span(Duration::from_secs(61))], ["59s", "1m01s"]);
        assert_eq!([span(Duration::from_mins(61)), span(Duration::from_hours(49))], ["1h01m", "2d01h"]);
        assert_eq!([millis(0.84), millis(12.3), millis(3200.0)], ["0.8ms", "12ms", "3.2s"]);
        assert_eq!([millis(0.0), millis(0.027)], ["0.0ms", "0.03ms"]);
        assert_eq!([count(9999), count(12_345), count(4_500_000)], ["9999", "12.3k", "4.5M"]);
        assert_eq!([percent(0, 0), percent(1, 200), percent(1, 3)], ["", "0.5%", "33%"]);
        assert_eq!([bytes(1023), bytes(1 << 20), bytes(3 << 29)], ["1023 B", "1 MiB", "1.5 GiB"]);
        assert_eq!([percent(9999, 10_000), percent(7, 7)], ["99.9%", "100%"]);
    }
}
