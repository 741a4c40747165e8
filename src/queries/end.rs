//! The end of a session, as it is told: a row that is past its time has ended then, whether or not a server has met it.

use crate::model::event::Actor;
use crate::model::session::{EndReason, SessionStatus};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::reports::alive::{Moment, Time};

/// The end of a row, as far as it has one: a row that is past its time ended then.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: SessionStatus,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) at: Option<Timestamp>,
    pub(super) reason: Option<Word<EndReason>>,
    pub(super) by: Option<Word<Actor>>,
}

/// What a row says of its end: when, why, by whom.
pub(super) type Said = (Option<Timestamp>, Option<Word<EndReason>>, Option<Word<Actor>>);

/// The status of a row, as it is stored.
pub(super) type Stored = Word<SessionStatus>;

impl End {
    /// Of a connection's columns.
    pub(super) fn of_connection(stored: &Stored, time: &Time, said: Said, moment: &Moment) -> Self {
        let end = moment.end_of_connection(time);
        let old = end.is_some_and(|end| moment.is_too_old(time, end));
        Self::of(
            stored,
            (time.expires_at, end),
            said,
            (moment.now, if old { EndReason::MaxAge } else { EndReason::Timeout }),
        )
    }

    /// Of an Archon session's.
    pub(super) fn of_archon(stored: &Stored, time: &Time, said: Said, moment: &Moment) -> Self {
        Self::of(stored, (time.expires_at, moment.end_of_archon(time)), said, (moment.now, EndReason::Timeout))
    }

    fn of(
        stored: &Stored,
        (stored_end, end): (Option<Timestamp>, Option<Timestamp>),
        (at, reason, by): Said,
        (now, why): (Timestamp, EndReason),
    ) -> Self {
        let status = status_now(stored, end, now);
        if !stored.is(SessionStatus::Active) {
            return Self { status, expires_at: stored_end, at, reason, by };
        }
        if status == SessionStatus::Expired {
            return Self { status, expires_at: end, at: end, reason: Some(why.into()), by: None };
        }
        Self { status, expires_at: end, at: None, reason: None, by: None }
    }
}

/// What a stored status is now, by the end of its time.
fn status_now(stored: &Stored, end: Option<Timestamp>, now: Timestamp) -> SessionStatus {
    match stored.ours() {
        Some(SessionStatus::Active) if end.is_some_and(|end| end < now) => SessionStatus::Expired,
        Some(status) => status,
        None => SessionStatus::Disconnected,
    }
}
