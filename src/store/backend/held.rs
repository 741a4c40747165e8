//! Rows that somebody's open transaction keeps from us: told once when it lasts, and once when it is over.
//!
//! That is no outage. Everything else is written, and nothing that waits is lost: whoever ends that transaction, or the
//! session that left it open, lets it through.

use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use super::outage::Work;
use crate::model::session::beginning;

/// What waits for rows that somebody holds.
#[derive(Debug, Default)]
pub struct Held {
    /// One bit a kind of work that waits, and eight bits above it one for its last try that did.
    state: AtomicU16,
}

/// The bits of work that waits.
const WAITING: u16 = 0xff;

fn bits(work: Work) -> (u16, u16) {
    (work as u16, (work as u16) << 8)
}

impl Held {
    /// Whether something waits, and has for longer than a moment.
    pub fn lasts(&self) -> bool {
        self.state.load(SeqCst) & WAITING != 0
    }

    /// Whether rows of new sessions and of requests wait, for however short a time.
    pub fn keeps_rows(&self) -> bool {
        let (waits, waited) = bits(Work::Rows);
        self.state.load(SeqCst) & (waits | waited) != 0
    }

    /// A kind of work was done, and waited for nobody.
    pub(in crate::store) fn note_free(&self, work: Work) {
        let (waits, waited) = bits(work);
        // Nearly always nothing waits; then this is one load.
        if self.state.load(SeqCst) != 0 && self.state.fetch_and(!(waits | waited), SeqCst) & WAITING == waits {
            tracing::info!(
                "the rows that an open transaction held are free again, and what waited for them is written"
            );
        }
    }

    /// It was done but for what somebody holds: rows of that session, or whatever is added up.
    pub(in crate::store) fn note_held(&self, work: Work, session: Option<&str>) {
        let (waits, waited) = bits(work);
        let lasts = self.state.fetch_or(waited, SeqCst) & waited != 0;
        if lasts && self.state.fetch_or(waits, SeqCst) & WAITING == 0 {
            tracing::warn!(
                session = session.map(beginning),
                "an open transaction in the database holds rows of a session: writes to them wait until \
                 it ends, and totals may too; pg_stat_activity shows it as \"idle in transaction\""
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_the_second_time_on_until_nothing_is_held() {
        let held = Held::default();
        held.note_held(Work::Sums, Some("a"));
        assert!(!held.lasts(), "that may have been a moment");
        held.note_free(Work::Sums);
        held.note_held(Work::Sums, None);
        held.note_held(Work::Rows, Some("a"));
        assert!(!held.lasts(), "each waited once");
        held.note_held(Work::Rows, Some("a"));
        held.note_held(Work::Sums, Some("a"));
        held.note_free(Work::Sums);
        assert!(held.lasts(), "rows still wait");
        held.note_free(Work::Rows);
        assert!(!held.lasts());
    }
}
