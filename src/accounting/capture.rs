//! What is kept of a call's words, where the operator asks for it: its arguments, and what a failed one answered.

use crate::model::mask;
use crate::model::request::RequestStatus;
use crate::model::text::clean;
use crate::store::rows::Captured;

/// How much of each text is kept, in bytes.
const KEPT_BYTES: usize = 4096;
/// Longer texts are not even looked through: masking costs their length.
const READ_BYTES: usize = 64 * 1024;
/// What stands for a text that is longer than that.
const TOO_LONG: &str = "[too long to be masked]";

/// Which calls' words are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capture {
    /// None.
    #[default]
    Off,
    /// Those that did not succeed.
    Errors,
    /// All.
    All,
}

impl Capture {
    /// The masked words of a call, if they are to be kept. `answer` is kept of those that did not succeed.
    pub fn of(self, status: RequestStatus, arguments: Option<&str>, answer: &str) -> Option<Box<Captured>> {
        let failed = status != RequestStatus::Success;
        if self == Self::Off || (self == Self::Errors && !failed) {
            return None;
        }
        let answer = (failed && !answer.is_empty()).then(|| masked(answer));
        Some(Box::new(Captured { arguments: masked(arguments.unwrap_or("{}")), answer }))
    }
}

/// Masked first and cut then, so that no half of a secret stays.
fn masked(words: &str) -> String {
    if words.len() > READ_BYTES {
        return TOO_LONG.to_owned();
    }
    let masked = mask::json(words).unwrap_or_else(|| mask::text(words));
    let end = masked.floor_char_boundary(KEPT_BYTES.min(masked.len()));
    let cut = clean(&masked[..end], KEPT_BYTES);
    if end < masked.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RequestStatus::{Error, Success, Timeout};

    #[test]
    fn the_operator_says_whose_words_are_kept() {
        let kept = |capture: Capture, status| capture.of(status, Some(r#"{"q":1}"#), r#"{"error":"no"}"#).map(|c| *c);
        for status in [Success, Error, Timeout] {
            assert_eq!(kept(Capture::Off, status), None);
        }
        assert_eq!(kept(Capture::Errors, Success), None);
        let whole = Captured { arguments: r#"{"q":1}"#.into(), answer: Some(r#"{"error":"no"}"#.into()) };
        assert_eq!(kept(Capture::Errors, Error), Some(whole.clone()));
        assert_eq!(kept(Capture::All, Timeout), Some(whole.clone()));
        assert_eq!(kept(Capture::All, Success), Some(Captured { answer: None, ..whole }));
    }

    #[test]
    fn long_words_are_cut_after_their_secrets_are_out() {
        let long = format!(r#"{{"a":"{}","token":"hunter2"}}"#, "é".repeat(4000));
        let cut = masked(&long);
        assert!(cut.len() <= KEPT_BYTES + '…'.len_utf8() && cut.ends_with('…'), "{}", cut.len());
        let edge = format!(r#"{{"a":"{}","z":"sk-0123456789abcdef0123456789"}}"#, "x".repeat(KEPT_BYTES - 30));
        assert!(!masked(&edge).contains("sk-0"));
        assert_eq!(masked(&"x".repeat(READ_BYTES + 1)), TOO_LONG);
        assert!(!masked("{\"a\":\"\\u0000\"}").contains('\0'));
    }
}
