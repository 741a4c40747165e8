//! The lease of a session in memory is over: the store is asked anew, and nobody waits for one that is slow or away.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::timeout;

use super::live::Live;
use super::{SessionError, Sessions};
use crate::store::StoreError;
use crate::store::sessions::Ended;

/// How long a request of a known session waits for the store. Then the session is trusted, and the question goes on in the
/// background.
pub(super) const RENEWAL: Duration = Duration::from_millis(100);
/// How long it waits for an answer that it needs, and could do without: which Archon session is meant.
const NEXT: Duration = Duration::from_secs(2);
impl Sessions {
    /// The lease is over: the store is asked whether the session still lives. A store that does not answer at once is asked
    /// in the background, and a session that it confirmed within the grace is trusted meanwhile.
    pub(super) async fn renew(self: &Arc<Self>, live: Arc<Live>) -> Result<Arc<Live>, SessionError> {
        let not_yet = || StoreError::unavailable("no answer yet");
        if live.is_renewing() && self.trusts(&live) {
            return Ok(live);
        }
        // Not everybody waits for a database that has just left somebody without an answer.
        if self.is_unanswered() && !self.trusts(&live) {
            return Err(not_yet().into());
        }
        let (sessions, asked) = (self.clone(), live.clone());
        let mut asking = Box::pin(async move { sessions.ask_again(asked).await });
        let trusted = |error: StoreError| if self.trusts(&live) { Ok(live.clone()) } else { Err(error.into()) };
        let needs_next = live.archon().is_some_and(|archon| self.is_done(&archon));
        // Longer where the Archon session is over: only the store can give the next one.
        let patience = if needs_next { self.patience() } else { RENEWAL };
        match timeout(patience, &mut asking).await {
            Ok(Err(SessionError::Unavailable(error))) => {
                self.note_unanswered();
                trusted(error)
            }
            Ok(outcome) => outcome,
            Err(_) if self.trusts(&live) => {
                if patience > RENEWAL {
                    self.note_unanswered();
                }
                let renewal = live.begin_renewal();
                tokio::spawn(async move {
                    // What it says stands in memory then.
                    _ = asking.await;
                    drop(renewal);
                });
                trusted(not_yet())
            }
            Err(_) => {
                let outcome = asking.await;
                if matches!(outcome, Err(SessionError::Unavailable(_))) {
                    self.note_unanswered();
                }
                outcome
            }
        }
    }

    /// How long a request waits for what only the store can tell and that it can do without: not long where the store has
    /// just left somebody without an answer.
    pub(super) fn patience(&self) -> Duration {
        if self.is_unanswered() { RENEWAL } else { NEXT }
    }

    pub(super) fn note_unanswered(&self) {
        self.unanswered_at.store(self.uptime_ms(), Relaxed);
    }

    /// Whether the store left a question unanswered within the last second.
    fn is_unanswered(&self) -> bool {
        let at = self.unanswered_at.load(Relaxed);
        at > 0 && self.uptime_ms().saturating_sub(at) < 1000
    }

    async fn ask_again(&self, live: Arc<Live>) -> Result<Arc<Live>, SessionError> {
        let Some(row) = self.current(&live.id, live.times.expires_at()).await? else {
            self.forget(&live, Ended { at: None, reason: String::new(), by: String::new() });
            return Err(SessionError::Unknown);
        };
        if let Err(error) = self.check_life(&live.id, &row, live.times.expires_at()).await {
            if let SessionError::Ended(ended) = &error {
                self.forget(&live, ended.clone());
            }
            return Err(error);
        }
        let uptime = self.uptime_ms();
        live.times.confirm(self.protocol_end(&row.life), uptime);
        self.follow_binding(&live, &row, uptime);
        Ok(live)
    }

    /// Whether a session is trusted without the store: it confirmed it within the grace.
    fn trusts(&self, live: &Live) -> bool {
        live.ended().is_none()
            && live.times.was_checked_within(self.policy.store_grace, self.uptime_ms())
            && !self.is_over(&live.times)
    }
}
