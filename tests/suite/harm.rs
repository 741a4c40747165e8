//! Names that mean harm, and whether an output of any kind does none.

/// What clients, servers and hands in a database may write, in few words: a terminal's clipboard is set, a line is forged,
/// another one turned around, a spreadsheet told to call somebody.
pub(crate) const NAME: &str = "=HYPERLINK(\"http://x\")\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}31m\r\n2026-01-01T00:00:00Z ERROR \
                               forged\nerror: forged\nhint: forged\u{2028}\u{202e}\u{feff}\u{7f}";

/// Every harmful character but NUL, which no database keeps: C0, DEL, C1, the signs of direction, separators, byte order mark.
pub(crate) fn all() -> String {
    let ranges = [0x01..=0x1f, 0x7f..=0x9f, 0x61c..=0x61c, 0x200e..=0x200f, 0x2028..=0x202e, 0x2066..=0x2069];
    ranges.into_iter().flatten().chain([0xfeff]).filter_map(char::from_u32).collect()
}

/// Panics where a terminal, or a reader of lines, would take something for more than letters. Line breaks and tabs are the
/// output's own, and no line is forged.
#[track_caller]
pub(crate) fn assert_harmless(text: &str, what: &str) {
    assert_printable(text, what);
    let forged = text
        .lines()
        .find(|line| ["2026-01-01T", "error: forged", "hint: forged"].iter().any(|begin| line.starts_with(begin)));
    assert_eq!(forged, None, "{what}: {text}");
}

/// The same, but for lines: those of a cell of CSV are the cell's.
#[track_caller]
pub(crate) fn assert_printable(text: &str, what: &str) {
    let all = all();
    let found: Vec<_> =
        text.chars().filter(|c| !matches!(c, '\n' | '\t') && (*c == '\0' || all.contains(*c))).collect();
    assert!(found.is_empty(), "{what}: {:?} in {text:.500?}", &found[..found.len().min(9)]);
}

/// [`assert_harmless`] of a terminal's output, in which our own colours and moves of the cursor are (CSI, in letters). What ends in `csv` has cells of several lines.
#[track_caller]
pub(crate) fn assert_harmless_on_terminal(text: &str, what: &str) {
    let ours = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]|\r\n|\r").expect("a pattern");
    let text = ours.replace_all(text, |found: &regex::Captures<'_>| if found[0].ends_with('\n') { "\n" } else { "" });
    if what.ends_with("csv") { assert_printable(&text, what) } else { assert_harmless(&text, what) }
}
