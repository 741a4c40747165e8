//! Texts from outside, made harmless for where they are shown: a terminal, a log, a report, a spreadsheet.
//!
//! Whatever others name or say (clients, servers, rows that are stored already) may hold what a terminal obeys, what looks
//! like a line of ours, or what a spreadsheet runs. Each kind of output has its function here.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does more than stand where it is: control characters (C0, DEL, C1), those that turn the direction
/// of what follows (Unicode's `Bidi_Control`), separators of lines and paragraphs, and the byte order mark.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text for a terminal: what is harmful becomes U+FFFD. Line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    let harmless = |c: char| if is_harmful(c) && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.replace("\r\n", "\n").chars().map(harmless).collect()
}

/// The same in one line.
pub fn line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// The same in lines of which all but the first are indented: none of them begins as one of ours does.
pub fn paragraph(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n  ")
}

/// A JSON document that means the same: what is harmful in its strings is escaped (RFC 8259, section 7). Line breaks
/// between its parts stay.
pub fn json(document: &str) -> Cow<'_, str> {
    let stays = |c: char| !is_harmful(c) || matches!(c, '\n' | '\r' | '\t');
    if document.chars().all(stays) {
        return Cow::Borrowed(document);
    }
    let mut escaped = String::with_capacity(document.len() + 64);
    for c in document.chars() {
        if stays(c) {
            escaped.push(c);
        } else {
            // All of them have four digits; and a text takes whatever is written to it.
            _ = write!(escaped, "\\u{:04x}", u32::from(c));
        }
    }
    Cow::Owned(escaped)
}

/// A cell of CSV: printable, and with an apostrophe before what a spreadsheet would take for a formula. (Some take a wide
/// sign for the narrow one, and pass over white space before it.)
pub fn cell(text: &str) -> String {
    let text = printable(text);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every harmful character, by a list of its own: the ranges of Unicode's tables.
    fn harmful() -> impl Iterator<Item = char> {
        let ranges = [0..=0x1f, 0x7f..=0x9f, 0x61c..=0x61c, 0x200e..=0x200f, 0x2028..=0x202e, 0x2066..=0x2069];
        ranges.into_iter().flatten().chain([0xfeff]).filter_map(char::from_u32)
    }

    #[test]
    fn exactly_the_harmful_characters_are_taken_out() {
        let found: Vec<char> = ('\0'..=char::MAX).filter(|c| is_harmful(*c)).collect();
        assert_eq!(found, harmful().collect::<Vec<_>>());
        for plain in ["a é 会 🙂 👩‍👩‍👧 नमस्ते \u{a0}\u{ad}", "مرحبا שלום", ""] {
            assert_eq!((printable(plain), line(plain), &*json(plain)), (plain.to_owned(), plain.to_owned(), plain));
        }
    }

    #[test]
    fn only_line_breaks_and_tabs_stay() {
        let all: String = harmful().collect();
        assert_eq!(printable(&all).chars().filter(|c| *c != '\u{fffd}').collect::<String>(), "\t\n");
        assert!(!line(&all).contains(is_harmful));
        assert_eq!(printable("a\tb\nc\u{1b}]0;x\u{7}\u{9b}é"), "a\tb\nc\u{fffd}]0;x\u{fffd}\u{fffd}é");
        assert_eq!(printable("one\r\ntwo\r"), "one\ntwo\u{fffd}", "lines of another system are lines");
        assert_eq!(line("a\nb\u{1b}"), "a b\u{fffd}");
    }

    #[test]
    fn no_line_begins_as_one_of_ours() {
        let told = paragraph("it failed\nerror: really\r\nhint: do it\u{2028}note: x\n\n");
        assert_eq!(told, "it failed\n  error: really\n  hint: do it\u{fffd}note: x");
    }

    #[test]
    fn a_document_means_the_same() {
        let all: String = harmful().chain("\"\\é🙂".chars()).collect();
        let document = serde_json::json!({ "a": [all], (all.as_str()): 1 });
        for text in [document.to_string(), format!("{document:#}")] {
            let shown = json(&text);
            assert!(!shown.contains(|c| is_harmful(c) && c != '\n'), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), document);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1", "+1", "-1", "@SUM(1)", "＝1", " =1", "\t=1", "\n=1", "\r\n=1"] {
            assert_eq!(cell(formula), format!("'{}", printable(formula)));
        }
        for (text, shown) in [("a=1", "a=1"), ("\r=1", "\u{fffd}=1"), ("\u{feff}=1", "\u{fffd}=1"), ("", "")] {
            assert_eq!(cell(text), shown);
        }
    }
}
