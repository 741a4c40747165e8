//! Texts of the screens: times, counts and latencies as people read them, cut to a width in columns, not letters.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) use crate::model::figures::{count, millis, percent, several, span};
pub(super) use crate::model::harmless::line as clean;
use crate::model::timestamp::Timestamp;

/// The steps of a bar, from nothing to all.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
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

/// The text in lines that are no wider than a number of columns, apart at spaces where there are some. Indented lines stay so.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current: String = line.chars().take_while(|c| *c == ' ').collect();
        let mut empty = true;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if !empty && width(&current) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut current));
                empty = true;
            }
            if !empty {
                current.push(' ');
            }
            empty = false;
            for c in clean(word).chars() {
                current.push(c);
                if width(&current) > columns {
                    current.pop();
                    lines.push(std::mem::take(&mut current));
                    current.push(c);
                }
            }
        }
        lines.push(current);
    }
    lines
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
    fn a_curve_shows_what_is_above_nothing() {
        assert_eq!(curve(&[0.0, 0.001, 1.0]), " ▁█");
        assert_eq!(bar(1.0, 2.0, 10), "█████");
    }

    #[test]
    fn lines_are_broken_at_spaces_or_within_long_words() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("  \"key\": 1\n}", 20), ["  \"key\": 1", "}"]);
        assert_eq!(wrapped("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrapped("会話会話", 5), ["会話", "会話"]);
    }
}
