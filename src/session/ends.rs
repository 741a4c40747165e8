//! How many Archon sessions have ended, counted as they do: to count them in the database costs more with each that is kept.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::session::EndReason;

/// What stands for reasons that operators make up.
const OTHER: &str = "other";

/// Ends since the server began, by reason, whoever made them.
#[derive(Debug, Default)]
pub(super) struct EndCounts {
    ours: [AtomicU64; EndReason::ALL.len()],
    others: AtomicU64,
}

impl EndCounts {
    pub(super) fn note(&self, reason: &str) {
        let at = EndReason::ALL.iter().position(|known| known.as_str() == reason);
        at.map_or(&self.others, |at| &self.ours[at]).fetch_add(1, Relaxed);
    }

    pub(super) fn by_reason(&self) -> Vec<(&'static str, u64)> {
        let ours = EndReason::ALL.iter().zip(&self.ours).map(|(reason, count)| (reason.as_str(), count));
        let all = ours.chain([(OTHER, &self.others)]).map(|(reason, count)| (reason, count.load(Relaxed)));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_reasons_share_a_count() {
        let ends = EndCounts::default();
        for reason in ["timeout", "because", "operator", "timeout", "why not", ""] {
            ends.note(reason);
        }
        assert_eq!(ends.by_reason(), [("timeout", 2), ("operator", 1), (OTHER, 3)]);
    }
}
