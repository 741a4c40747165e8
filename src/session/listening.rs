//! Sessions whose clients only listen, and cancellations that meant another server.

use std::sync::{Arc, PoisonError};

use super::{Live, Sessions};
use crate::model::text::clean;
use crate::store::sessions::Cancellation;

/// The longest request id that travels with a cancellation, in characters: as long as an id may be.
const ID_CHARS: usize = 512;
/// How many cancellations of one session are passed on in a minute, and how many of all: each is a row.
const TOLD: u32 = 20;
const TOLD_IN_ALL: u32 = 1000;

impl Sessions {
    /// The client of this session holds a stream open. That moves the end of its time, and is no use of it.
    pub fn touch_stream(&self, live: &Arc<Live>) {
        let now = self.clock.now();
        if live.times.touch_stream(now, self.policy.protocol_end(live.times.started(), now)) {
            self.cache.dirty().live.push(live.clone());
        }
    }

    /// A client has cancelled a request that does not run here: the other servers of the database are told. Some a minute of
    /// one session, because anybody can name any request.
    pub fn cancel_elsewhere(&self, live: &Arc<Live>, request: &str) {
        let minute = self.uptime_ms() / 60_000;
        let has_room = || {
            (0..TOLD).any(|place| self.warned.is_first(("cancelled", &live.id, minute, place)))
                && self.may_log_another(minute)
        };
        if !self.store.is_shared() || !has_room() {
            return;
        }
        let (store, at) = (self.store.clone(), self.clock.now());
        let cancelled = Cancellation { protocol_session_id: live.id.to_string(), request: clean(request, ID_CHARS) };
        // Nobody waits for it: what is not told runs to its end.
        tokio::spawn(async move {
            if let Err(error) = store.announce_cancelled(at, &cancelled).await {
                tracing::debug!(session = cancelled.protocol_session_id, %error, "a cancellation could not be passed on");
            }
        });
    }

    /// Whether one more may be told in this minute.
    fn may_log_another(&self, minute: u64) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != minute {
            *told = (minute, 0);
        }
        told.1 += 1;
        told.1 <= TOLD_IN_ALL
    }

    /// A cancellation that came to another server.
    pub(super) fn on_cancelled(&self, cancelled: &Cancellation) {
        let session = &*cancelled.protocol_session_id;
        let live = self.cache.live(session);
        let count = live.map_or(0, |live| live.runs().cancel(&cancelled.request));
        if count > 0 {
            tracing::debug!(
                session,
                request = cancelled.request,
                count,
                "cancelled by the client, through another server"
            );
        }
    }
}
