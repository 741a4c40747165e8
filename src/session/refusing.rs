//! A request is refused: that is noted where operators look.

use std::net::IpAddr;

use super::Sessions;
use super::refusals::{Pattern, Refused};
use crate::model::figures::several;
use crate::model::harmless;
use crate::model::refused::Reason;
use crate::model::session::beginning;
use crate::protocol::header;

/// The number of characters of a client's own words that are told.
const SHOWN: usize = 128;

impl Sessions {
    /// Notes that a request is refused.
    pub fn note_refused(&self, refused: &Refused<'_>) {
        let up = self.up_s();
        let memory = self.memory.on_failure(&self.policy.deployment.machine);
        let is_told = self.refusals.note(refused, up, &memory);
        if refused.reason.is_of_session() {
            self.log_patterns(refused.session);
        }
        if !is_told {
            return;
        }
        let (address, program) = (from(refused.address), shown(refused.program));
        let memory_mib = memory.process_bytes.map_or(0, |bytes| bytes >> 20);
        let short = if memory.is_short() { "; memory is short" } else { "" };
        let sessions = self.cached();
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    reason = %refused.reason, session = beginning(refused.session), from = %address, program = %program,
                    principal = refused.principal, uptime_s = up, memory_mib, sessions,
                    "refused: {}{short}", refused.fact
                )
            };
        }
        if refused.reason.is_of_form() {
            tell!(info);
        } else {
            tell!(warn);
        }
        let who = if refused.principal.is_empty() { String::new() } else { format!("{} ", refused.principal) };
        let client = if program.is_empty() { String::new() } else { format!(", {program}") };
        let detail = format!(
            "{}: {who}from {address}{client}; up {up} s, {memory_mib} MiB, {} in memory{short}",
            refused.reason,
            several(i64::try_from(sessions).unwrap_or(i64::MAX), "session")
        );
        // Only what can be an id is kept as one.
        let session = if header::is_session_id(refused.session) { refused.session } else { "" };
        self.event("refused", None, session, Some(detail));
    }

    /// How long this server has been up, in seconds.
    fn up_s(&self) -> u32 {
        self.boot.started.elapsed().as_secs().try_into().unwrap_or(u32::MAX)
    }

    /// What the last refusals have in common, once a minute.
    fn log_patterns(&self, session: &str) {
        let now = self.clock.elapsed();
        for pattern in self.refusals.patterns() {
            let Some(more) = self.warned.of(("pattern", pattern), now) else { continue };
            match pattern {
                Pattern::AfterRestart => tracing::warn!("PATTERN: Session failures after recent restarts{more}"),
                Pattern::ShortOfMemory => tracing::warn!("PATTERN: Session failures during high memory usage{more}"),
                Pattern::OneSession => {
                    tracing::warn!(
                        session = beginning(session),
                        "PATTERN: Rapid failures for session {}{more}",
                        beginning(session)
                    );
                }
            }
        }
    }

    /// Tells how many refusals of the last minute had no line of their own. To be called now and then.
    pub(super) fn log_refusals(&self) {
        for (reason, count) in self.refusals.untold(self.up_s()) {
            tracing::warn!(%reason, count, "refused {count} more times in a minute: {reason}");
        }
    }

    /// How many requests were refused since the server began, by reason.
    pub fn refusals(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.refusals.counts()
    }
}

fn from(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "a local socket".to_owned(), |address| address.to_string())
}

fn shown(text: &str) -> String {
    harmless::line(text).chars().take(SHOWN).collect()
}
