//! Texts of the screens: times, counts and latencies as people read them, cut to a width in columns, not letters.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::timestamp::Timestamp;

/// The steps of a bar, from nothing to all.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// What others wrote, in one line without control characters: it must not move the cursor.
pub(super) fn clean(text: &str) -> String {
    let letter = |c: char| match c {
        '\n' | '\t' | '\r' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(letter).collect()
}

/// The text, cut to a number of columns; an ellipsis says that there was more.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        out.push(c);
        used += wide;
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The text in exactly that number of columns.
pub(super) fn pad(text: &str, columns: usize, right: bool) -> String {
    let text = cut(text, columns);
    let space = " ".repeat(columns.saturating_sub(width(&text)));
    if right { space + &text } else { text + &space }
}

/// A duration in its two largest units: `12s`, `3m20s`, `2h05m`, `4d03h`.
pub(super) fn span(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// Milliseconds with as many digits as say something.
pub(super) fn millis(ms: f64) -> String {
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
pub(super) fn count(n: i64) -> String {
    match n {
        ..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// A share of a whole: `12%`, `0.8%`; nothing of nothing.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn percent(part: i64, whole: i64) -> String {
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

/// One thing or several: `1 call`, `3 calls`.
pub(super) fn several(n: i64, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{} {thing}s", count(n)) }
}

/// The time of day in UTC, to the second.
pub(super) fn clock(moment: Timestamp) -> String {
    moment.sql_text().get(11..19).unwrap_or_default().to_owned()
}

/// Day and time in UTC, to the second.
pub(super) fn when(moment: Timestamp) -> String {
    moment.sql_text().get(..19).unwrap_or_default().to_owned()
}

/// A curve in one line, each value in proportion to the greatest. What is above nothing is seen.
pub(super) fn curve(values: &[f64]) -> String {
    let most = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|value| STEPS[step(*value, most, STEPS.len() - 1)]).collect()
}

/// A bar of that number of columns.
pub(super) fn bar(value: f64, most: f64, columns: usize) -> String {
    "█".repeat(step(value, most, columns))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between nothing and the number of steps")]
#[expect(clippy::cast_precision_loss, reason = "a few steps")]
fn step(value: f64, most: f64, steps: usize) -> usize {
    if value <= 0.0 || most <= 0.0 {
        return 0;
    }
    ((value / most * steps as f64).round() as usize).clamp(1, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("会話会話", 5), "会話…");
        assert_eq!(cut("会話会話", 6), "会話…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(pad("会", 4, false), "会  ");
        assert_eq!(pad("7", 3, true), "  7");
    }

    #[test]
    fn figures_have_as_many_digits_as_say_something() {
        assert_eq!([span(Duration::from_secs(59)), span(Duration::from_secs(61))], ["59s", "1m01s"]);
        assert_eq!([span(Duration::from_mins(61)), span(Duration::from_hours(49))], ["1h01m", "2d01h"]);
        assert_eq!([millis(0.84), millis(12.3), millis(3200.0)], ["0.8ms", "12ms", "3.2s"]);
        assert_eq!([millis(0.0), millis(0.027)], ["0.0ms", "0.03ms"]);
        assert_eq!([count(9999), count(12_345), count(4_500_000)], ["9999", "12.3k", "4.5M"]);
        assert_eq!([percent(0, 0), percent(1, 200), percent(1, 3)], ["", "0.5%", "33%"]);
        assert_eq!([percent(9999, 10_000), percent(7, 7)], ["99.9%", "100%"]);
    }

    #[test]
    fn a_curve_shows_what_is_above_nothing() {
        assert_eq!(curve(&[0.0, 0.001, 1.0]), " ▁█");
        assert_eq!(bar(1.0, 2.0, 10), "█████");
    }
}
