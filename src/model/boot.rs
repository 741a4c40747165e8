//! Runs of a server, and how they ended.

use super::word::words;

words! {
    /// How a run of a server ended: the word in the `end_cause` column. [`Self::Frozen`] and [`Self::Running`] are said of
    /// one that has not ended, by the run after it.
    pub enum EndCause, "cause of an end" {
        /// It was told to stop, and did.
        Clean = "clean",
        /// Somebody pressed Ctrl-C.
        Interrupt = "interrupt",
        /// It was killed by a signal, as whoever started it has seen.
        Signal = "signal",
        /// It ended without a word.
        Crash = "crash",
        /// A part of it broke without which it cannot go on.
        Panic = "panic",
        /// The kernel killed it, or something beside it, for want of memory.
        OutOfMemory = "out_of_memory",
        /// Its machine was started anew.
        Reboot = "reboot",
        /// It is there, but stopped or starved.
        Frozen = "frozen",
        /// It still runs.
        Running = "running",
    }
}

words! {
    /// How sure a cause is: the word in the `end_confidence` column.
    pub enum Confidence, "confidence" {
        /// It was seen, or said by the run itself.
        Certain = "certain",
        /// What is known fits no other cause as well.
        Likely = "likely",
        /// It may have been something else.
        Possible = "possible",
    }
}

impl EndCause {
    /// Whether it has ended.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Frozen | Self::Running)
    }

    /// Whether the run said so itself; what others say of it may be wrong.
    pub const fn is_its_own_word(self) -> bool {
        matches!(self, Self::Clean | Self::Interrupt | Self::Panic)
    }
}

/// How a run of a server ended, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The cause.
    pub cause: EndCause,
    /// How sure it is.
    pub confidence: Confidence,
    /// What shows it, in a few words.
    pub evidence: String,
}

impl End {
    /// An end, and what shows it.
    pub fn new(cause: EndCause, confidence: Confidence, evidence: impl Into<String>) -> Self {
        Self { cause, confidence, evidence: evidence.into() }
    }
}
