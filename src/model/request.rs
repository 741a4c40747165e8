//! How a handled request went.

use std::fmt;

/// The `status` of a request row, honestly: see design, "Honest rows".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestStatus {
    /// The tool or method did what was asked.
    Success,
    /// The tool said `isError`, the protocol refused, or the call was cancelled or cut short.
    Error,
    /// It ran past the tool timeout.
    Timeout,
}

impl RequestStatus {
    /// The word in the `status` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tokens of a call, counted or estimated; the boot row says by which method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the arguments.
    pub prompt: u32,
    /// Of the result.
    pub completion: u32,
}
