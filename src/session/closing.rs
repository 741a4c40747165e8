//! The client closes its session (DELETE).

use std::sync::Arc;

use uuid::Uuid;

use super::live::Live;
use super::{SessionError, Sessions};
use crate::model::principal::Principal;
use crate::model::session::EndReason;
use crate::store::sessions::{Ended, Ending};

impl Sessions {
    /// Ends the session of that id, and returns the Archon session that it went on with. One that has ended stays as it is,
    /// and the client has what it asked for: `None`.
    ///
    /// # Errors
    /// [`SessionError`]: malformed, unknown, another principal's, or the end could not be committed.
    pub async fn close(self: &Arc<Self>, id: &str, principal: &Principal) -> Result<Option<Uuid>, SessionError> {
        let closed = match self.validate(id, principal).await {
            Ok(live) => self.end_by_client(&live).await.map(|()| Some(live.archon_id())),
            Err(error) => Err(error),
        };
        match closed {
            Err(SessionError::Ended(_)) => Ok(None),
            closed => closed,
        }
    }

    async fn end_by_client(&self, live: &Live) -> Result<(), SessionError> {
        let now = self.clock.now();
        let reason = EndReason::ClientDisconnect;
        let ended = self.store.end_protocol_session(&live.id, Ending { reason, by: "client", at: now }).await?;
        if ended {
            self.forget(live, Ended { at: Some(now), reason: reason.to_string(), by: "client".to_owned() });
            let seconds = now.since(live.times.started()).as_secs();
            tracing::debug!(session = %live.id, "Session {} closed gracefully (duration: {seconds}s, reason: client_disconnect)", live.id);
            return Ok(());
        }
        // Somebody was faster; the row says who.
        let row = self.store.protocol_session(&live.id).await?;
        let Some(ended) = row.and_then(|row| row.life.ended) else {
            self.cache.forget(&live.id);
            return Err(SessionError::Unknown);
        };
        self.forget(live, ended.clone());
        Err(SessionError::Ended(ended))
    }
}
