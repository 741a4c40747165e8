//! The sessions of somebody who is not let in any more.

use super::Sessions;
use crate::model::session::EndReason;
use crate::store::StoreError;
use crate::store::sessions::{Ended, Ending};

/// One look finds this many at most.
const CHUNK: i64 = 500;
/// Who ended them, in the record.
const BY: &str = "token file";

impl Sessions {
    /// Ends all live sessions of a principal, as an operator would; returns how many it ended.
    ///
    /// # Errors
    /// [`StoreError`]; those before it have ended.
    pub async fn dismiss(&self, principal: &str) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let ids = self.store.live_of(principal, CHUNK).await?;
            if ids.is_empty() {
                return Ok(ended);
            }
            for id in ids {
                let (reason, at) = (EndReason::Operator, self.clock.now());
                let ending = Ending { reason, by: BY, at };
                ended += u64::from(self.store.end_protocol_session(&id, ending).await?);
                self.cache.end(&id, Ended { at: Some(at), reason: reason.to_string(), by: BY.to_owned() });
            }
        }
    }
}
