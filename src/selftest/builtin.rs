//! The scenarios that come with the program, each one promise.

use std::sync::Arc;

use super::run::Chosen;
use super::script::{ScriptError, parse};

macro_rules! scenarios {
    ($($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("scenarios/", $id, ".toml")))),*]
    };
}

/// Their ids and texts, in the order in which they are run.
pub const SCENARIOS: [(&str, &str); 48] = scenarios![
    "creation-and-persistence",
    "lazy-creation",
    "session-reuse",
    "client-id-valid",
    "client-id-unknown",
    "client-id-expired",
    "client-id-malformed",
    "client-id-of-another-principal",
    "sessions-of-another-principal",
    "sessions-are-kept-apart",
    "session-ids-are-safe",
    "end-by-delete",
    "end-by-timeout",
    "end-by-protocol-timeout",
    "end-by-operator",
    "end-by-max-age",
    "late-requests-do-not-revive",
    "cleanup-runs",
    "running-call-survives-cleanup",
    "inspector-like-traffic",
    "recovery-after-sigkill",
    "recovery-after-sigterm",
    "recovery-concurrent-first-hits",
    "recovery-keeps-ends",
    "survives-sigkill",
    "survives-sigterm",
    "two-servers-one-database",
    "close-then-404",
    "missing-id-is-400",
    "unknown-id-is-404",
    "stale-id-at-initialize",
    "errors-tell-the-way-out",
    "tool-errors-are-recorded",
    "request-rows-are-complete",
    "duplicate-request-ids",
    "lifecycle-2024-11-05",
    "lifecycle-2025-03-26",
    "lifecycle-2025-06-18",
    "lifecycle-2025-11-25",
    "batches-on-2025-03-26",
    "no-batches-on-2025-06-18",
    "no-batches-on-2025-11-25",
    "unsupported-version-header",
    "get-is-never-404",
    "foreign-host",
    "foreign-origin",
    "health-tells-the-truth",
    "database-integrity",
];

/// All of them, read.
///
/// # Errors
/// A test shows that there is none; a program that is broken says so.
pub fn all() -> Result<Vec<Chosen>, ScriptError> {
    let read = |(id, text): (&str, &str)| {
        let scenario = Arc::new(parse(&format!("{id}.toml"), text)?);
        Ok(Chosen { id: id.to_owned(), scenario })
    };
    SCENARIOS.into_iter().map(read).collect()
}
