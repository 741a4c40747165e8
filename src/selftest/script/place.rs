//! Where in a file something stands.

use std::ops::Range;

use super::ScriptError;

/// The text of a script, to point at places in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Text<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    /// What is wrong at these bytes.
    pub(super) fn error(self, at: Range<usize>, message: impl Into<String>, hint: Option<String>) -> ScriptError {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        ScriptError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            hint,
        }
    }
}
