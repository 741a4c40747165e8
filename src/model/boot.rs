//! Runs of a server.

use super::word::words;

words! {
    /// How a run of a server ended: the word in the `end_cause` column.
    pub enum EndCause, "cause of an end" {
        /// It was told to stop, and did.
        Clean = "clean",
        /// Somebody pressed Ctrl-C.
        Interrupt = "interrupt",
        /// It was killed, or its machine went down.
        Crash = "crash",
    }
}
