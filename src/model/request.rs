//! How a handled request went.

use super::word::words;

words! {
    /// The `status` of a request row.
    pub enum RequestStatus, "request status" {
        /// The tool or method did what was asked.
        Success = "success",
        /// The tool said `isError`, the protocol refused, or the call was cancelled or cut short.
        Error = "error",
        /// It ran past the tool timeout.
        Timeout = "timeout",
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
