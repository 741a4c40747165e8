//! How the run of a server before this one ended, as far as that can be known.

use crate::model::boot::{Confidence, End, EndCause};
use crate::model::machine::Kills;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;

use super::host::{Host, Presence};

/// A share of the memory that there is beyond which a process may well have been killed for it, in per cent.
const NEARLY_ALL: i64 = 80;

/// How a process was seen to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenEnd {
    /// By that signal.
    Signal(i32),
    /// With that exit code.
    Exit(i32),
}

/// The run before, as it is recorded.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Former {
    pub(super) number: i64,
    pub(super) start_number: Option<i64>,
    pub(super) heartbeat_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) end_cause: Option<Word<EndCause>>,
    pub(super) end_confidence: Option<Word<Confidence>>,
    pub(super) end_evidence: Option<String>,
    pub(super) pid: Option<i64>,
    pub(super) pid_started: Option<i64>,
    pub(super) host: Option<String>,
    pub(super) kernel_boot: Option<String>,
    pub(super) pid_namespace: Option<String>,
    pub(super) memory_limit_bytes: Option<i64>,
    pub(super) memory_used_bytes: Option<i64>,
    pub(super) memory_is_short: Option<bool>,
    pub(super) control_group: Option<String>,
    pub(super) group_kills: Option<i64>,
    pub(super) machine_kills: Option<i64>,
}

/// What this run sees of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) here: &'a Host,
    pub(super) now: Timestamp,
    pub(super) kills: &'a Kills,
    /// What whoever started both of them saw.
    pub(super) end: Option<SeenEnd>,
    pub(super) presence: Presence,
}

impl Former {
    /// How it ended.
    pub(super) fn end(&self, seen: &Seen<'_>) -> End {
        let said = self.end_cause.as_ref().and_then(Word::ours);
        match said {
            Some(cause) if cause.is_its_own_word() => self.by_its_word(cause),
            _ if self.ended_at.is_none() => self.still_there(seen),
            _ => self.without_a_word(seen),
        }
    }

    fn by_its_word(&self, cause: EndCause) -> End {
        let confidence = self.end_confidence.as_ref().and_then(Word::ours).unwrap_or(Confidence::Certain);
        let evidence = self.end_evidence.clone().unwrap_or_else(|| match cause {
            EndCause::Interrupt => "it was interrupted, and stopped in order".to_owned(),
            _ => "it stopped in order".to_owned(),
        });
        End::new(cause, confidence, evidence)
    }

    /// Nothing says that it has ended.
    fn still_there(&self, seen: &Seen<'_>) -> End {
        let silence = seen.now.since(self.heartbeat_at);
        let beat = format!("its last heartbeat was {} s ago", silence.as_secs());
        match seen.presence {
            Presence::There { is_stopped: true } => {
                let evidence = format!("its process {} is stopped; {beat}", self.process());
                End::new(EndCause::Frozen, Confidence::Certain, evidence)
            }
            Presence::There { .. } if silence >= super::SILENT_AFTER => {
                let evidence = format!("its process {} is there; {beat}", self.process());
                End::new(EndCause::Frozen, Confidence::Likely, evidence)
            }
            Presence::There { .. } => {
                let evidence = format!("its process {} is there; {beat}", self.process());
                End::new(EndCause::Running, Confidence::Certain, evidence)
            }
            Presence::Gone | Presence::Unknown => End::new(EndCause::Running, Confidence::Likely, beat),
        }
    }

    fn without_a_word(&self, seen: &Seen<'_>) -> End {
        if let Presence::There { .. } = seen.presence {
            return self.still_there(seen);
        }
        let is_same_machine = self.kernel_boot.is_some() && self.kernel_boot == seen.here.kernel_boot;
        let of_memory = if is_same_machine { self.out_of_memory(seen.kills) } else { None };
        match seen.end {
            // The kernel kills so, and many an operator.
            Some(SeenEnd::Signal(signal)) if signal != 9 || of_memory.is_none() => {
                let evidence = format!("its process was killed by signal {signal}");
                return End::new(EndCause::Signal, Confidence::Certain, evidence);
            }
            Some(SeenEnd::Exit(code)) => {
                let evidence = format!("its process ended with exit code {code}");
                return End::new(EndCause::Crash, Confidence::Certain, evidence);
            }
            _ => {}
        }
        if let Some(end) = of_memory {
            return end;
        }
        let is_same_host = self.host.is_some() && self.host == seen.here.name;
        if is_same_host && !is_same_machine && self.kernel_boot.is_some() && seen.here.kernel_boot.is_some() {
            return End::new(EndCause::Reboot, Confidence::Likely, "the machine has been started anew since");
        }
        match seen.presence {
            Presence::Gone => {
                let evidence = format!("its process {} is gone, and left no word", self.process());
                End::new(EndCause::Crash, Confidence::Likely, evidence)
            }
            Presence::There { .. } | Presence::Unknown => {
                let evidence = format!("it left no word; its last heartbeat was at {}", self.heartbeat_at);
                End::new(EndCause::Crash, Confidence::Possible, evidence)
            }
        }
    }

    /// Whether the kernel has killed for want of memory since its last heartbeat.
    fn out_of_memory(&self, kills: &Kills) -> Option<End> {
        let since = |before: Option<i64>, now: Option<i64>| Some(now? - before?).filter(|count| *count > 0);
        let used = self.memory_used_bytes.zip(self.memory_limit_bytes);
        let was_short = self.memory_is_short == Some(true)
            || used.is_some_and(|(used, limit)| used.saturating_mul(100) > limit.saturating_mul(NEARLY_ALL));
        let is_same_group = self.control_group.is_some() && self.control_group == kills.group;
        if let Some(count) = since(self.group_kills, kills.in_group).filter(|_| is_same_group) {
            let evidence = format!("the kernel killed {count} in its control group for want of memory");
            return Some(End::new(EndCause::OutOfMemory, Confidence::Likely, evidence));
        }
        let count = since(self.machine_kills, kills.on_machine).filter(|_| was_short)?;
        let evidence = format!("the kernel killed {count} on the machine for want of memory, which was short");
        Some(End::new(EndCause::OutOfMemory, Confidence::Possible, evidence))
    }

    fn process(&self) -> String {
        self.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string())
    }
}

#[cfg(test)]
mod tests;
