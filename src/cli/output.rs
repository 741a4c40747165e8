//! Texts from servers, made fit for a terminal.

/// The text without control characters (each becomes U+FFFD; line breaks and tabs stay): words of a server must not move
/// the cursor, colour the screen or set the window's title.
pub(super) fn printable(text: &str) -> String {
    let keep = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if keep(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// A sentence for people, on standard error: no data.
pub(super) fn tell(note: &str) {
    // When standard error is closed there is nobody to tell.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{}\n", printable(note)).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn only_line_breaks_and_tabs_stay() {
        assert_eq!(printable("a\tb\nc\u{1b}]0;x\u{7}\u{9b}é"), "a\tb\nc\u{fffd}]0;x\u{fffd}\u{fffd}é");
    }
}
