//! How many tokens a text has: not asked, estimated, or counted by a real tokenizer.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::model::request::Tokens;

/// A longer text is counted up to here, and the rest in proportion: the call waits for the count.
const COUNTED: usize = 4096;

/// How tokens are counted; each boot's row says which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenMethod {
    /// Not at all: zero.
    Off,
    /// A quarter of the bytes, rounded up.
    #[default]
    Approx,
    /// The vocabulary of GPT-4o and later.
    O200k,
    /// The vocabulary of GPT-4.
    Cl100k,
}

impl TokenMethod {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Approx, Self::O200k, Self::Cl100k];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Approx => "approx",
            Self::O200k => "o200k",
            Self::Cl100k => "cl100k",
        }
    }

    /// The method of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// Whether this program can count so: a tokenizer is there with the feature `tokenizers` alone.
    pub const fn is_available(self) -> bool {
        !self.has_tokenizer() || tokenizer::ARE_BUILT_IN
    }

    const fn has_tokenizer(self) -> bool {
        matches!(self, Self::O200k | Self::Cl100k)
    }
}

/// The tokens of a text.
type Count = fn(&str) -> usize;

/// Their tables are more than half of a program that has them.
#[cfg(any(test, feature = "tokenizers"))]
mod tokenizer {
    use super::{Count, TokenMethod};

    pub(super) const ARE_BUILT_IN: bool = true;

    /// The method's tokenizer. Its first use loads it.
    pub(super) fn of(method: TokenMethod) -> Option<Count> {
        match method {
            TokenMethod::Off | TokenMethod::Approx => None,
            TokenMethod::O200k => Some(|text| bpe_openai::o200k_base().count(text)),
            TokenMethod::Cl100k => Some(|text| bpe_openai::cl100k_base().count(text)),
        }
    }
}

#[cfg(not(any(test, feature = "tokenizers")))]
mod tokenizer {
    use super::{Count, TokenMethod};

    pub(super) const ARE_BUILT_IN: bool = false;

    pub(super) fn of(_: TokenMethod) -> Option<Count> {
        None
    }
}

/// Counts tokens by one method. Cheap to clone.
#[derive(Clone)]
pub struct TokenCounter {
    method: TokenMethod,
    /// Empty until loaded; until then, and without a tokenizer, counts are estimates.
    tokenizer: Arc<OnceLock<Count>>,
}

impl TokenCounter {
    /// A counter; a tokenizer is not loaded yet.
    pub fn new(method: TokenMethod) -> Self {
        Self { method, tokenizer: Arc::default() }
    }

    /// Loads the tokenizer, if the method has one, on a thread of its own: it takes a good part of a second, and an open
    /// port should not wait for it.
    ///
    /// # Errors
    /// When no thread can be started; then counts stay estimates.
    pub fn load_in_background(&self) -> std::io::Result<()> {
        if !self.method.has_tokenizer() {
            return Ok(());
        }
        let counter = self.clone();
        std::thread::Builder::new().name("tokenizer".into()).spawn(move || counter.load()).map(drop)
    }

    fn load(&self) {
        let Some(tokenizer) = tokenizer::of(self.method) else { return };
        tokenizer("");
        // Loaded twice is loaded once: the tokenizer is the same.
        _ = self.tokenizer.set(tokenizer);
    }

    /// The method's name, for the boot row.
    pub fn as_str(&self) -> &'static str {
        self.method.as_str()
    }

    /// The tokens of a text.
    pub fn count(&self, text: &str) -> u32 {
        let tokens = match (self.method, self.tokenizer.get()) {
            (TokenMethod::Off, _) => 0,
            (_, None) => text.len().div_ceil(4),
            (_, Some(tokenizer)) => {
                let head = &text[..text.floor_char_boundary(COUNTED)];
                let counted = tokenizer(head);
                if head.len() == text.len() { counted } else { in_proportion(counted, text.len(), head.len()) }
            }
        };
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// The tokens of a call: its arguments as sent, and the text of its answer. `None` where counting is off.
    pub fn of_call(&self, arguments: Option<&str>, answer: &str) -> Option<Tokens> {
        if self.method == TokenMethod::Off {
            return None;
        }
        Some(Tokens { prompt: arguments.map_or(0, |text| self.count(text)), completion: self.count(answer) })
    }
}

/// `counted * whole / part`, rounded up.
fn in_proportion(counted: usize, whole: usize, part: usize) -> usize {
    counted.saturating_mul(whole).div_ceil(part.max(1))
}

impl fmt::Debug for TokenCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCounter")
            .field("method", &self.method)
            .field("loaded", &self.tokenizer.get().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for method in TokenMethod::ALL {
            assert_eq!(TokenMethod::parse(method.as_str()), Some(method));
        }
        assert_eq!(TokenMethod::parse("cl100k_base"), None);
    }

    #[test]
    fn off_is_zero_and_approx_a_quarter_of_the_bytes() {
        assert_eq!(TokenCounter::new(TokenMethod::Off).count("hello"), 0);
        let approx = TokenCounter::new(TokenMethod::Approx);
        for (text, tokens) in [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ééé", 2)] {
            assert_eq!(approx.count(text), tokens, "{text}");
        }
        assert_eq!(approx.of_call(None, "abcd"), Some(Tokens { prompt: 0, completion: 1 }));
        assert_eq!(TokenCounter::new(TokenMethod::Off).of_call(None, "abcd"), None);
    }

    #[test]
    fn a_tokenizer_counts_exactly_and_then_in_proportion() {
        let counter = TokenCounter::new(TokenMethod::Cl100k);
        assert_eq!(counter.count("hello world!"), 3, "an estimate until it is loaded");
        counter.load();
        assert_eq!(counter.count("hello world"), 2);
        assert_eq!(counter.count("hello world!!"), 3);
        assert_eq!(counter.count(""), 0);
        let sentence = "The quick brown fox. ";
        let (exact, long) = (counter.count(&sentence.repeat(100)), counter.count(&sentence.repeat(10_000)));
        assert!(long.abs_diff(exact * 100) < long / 100, "{exact} × 100 and {long}");
        // The cut never falls within a character.
        assert!(counter.count(&format!("{}{}", "x".repeat(4095), "é".repeat(100))) > 0);
    }

    #[test]
    fn only_a_tokenizer_has_something_to_load() {
        let approx = TokenCounter::new(TokenMethod::Approx);
        approx.load_in_background().expect("nothing to do");
        assert!(approx.tokenizer.get().is_none());
    }
}
