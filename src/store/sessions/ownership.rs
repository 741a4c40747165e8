//! What belongs to a principal. Sessions from before tokens were asked for belong to nobody, until somebody presents their
//! id.

use uuid::Uuid;

use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use crate::store::backend::order::lock_in_order;
use crate::store::backend::{DbUuid, read, transact};
use crate::store::{Store, StoreError};

const CLAIM_ARCHON: &str = "UPDATE archon_mcp_sessions SET principal = $2, user_name = COALESCE(user_name, $2), \
     user_email = COALESCE(user_email, $3) WHERE principal = '' AND status = 'active' AND session_id = ( \
         SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $1) \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions o WHERE o.session_id = archon_mcp_sessions.session_id \
         AND o.status = 'active' AND o.protocol_session_id <> $1)";

/// An Archon session that others use, too, is not taken along: the connection opens its own.
const PART: &str = "UPDATE archon_mcp_protocol_sessions SET session_id = $3, called = FALSE \
     WHERE protocol_session_id = $1 AND EXISTS (SELECT 1 FROM archon_mcp_sessions s \
         WHERE s.session_id = archon_mcp_protocol_sessions.session_id AND s.principal <> $2)";

const CLAIM: &str = "UPDATE archon_mcp_protocol_sessions SET principal = $2 \
     WHERE protocol_session_id = $1 AND principal = '' AND status = 'active'";

const TELL: &str = "INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor) \
     SELECT $2, 'claimed', p.session_id, p.protocol_session_id, 'tokens were switched on', $3 \
     FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $1";

impl Store {
    /// Live protocol sessions of a principal, not more than `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_of(&self, principal: &str, limit: i64) -> Result<Vec<String>, StoreError> {
        read!(self, db => sqlx::query_scalar(
            "SELECT protocol_session_id FROM archon_mcp_protocol_sessions \
             WHERE principal = $1 AND status = 'active' LIMIT $2")
            .bind(principal).bind(limit).fetch_all(db).await)
    }

    /// Gives a live connection of nobody, with its Archon session, to a principal. `false` when somebody was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, id: &str, principal: &Principal, at: Timestamp) -> Result<bool, StoreError> {
        let dialect = self.dialect();
        let (ids, name, email) = (serde_json::json!([id]).to_string(), &*principal.name, principal.email.as_deref());
        transact!(self, tx => async {
            lock_in_order!(dialect, tx, "[]", &ids);
            sqlx::query(CLAIM_ARCHON).bind(id).bind(name).bind(email).execute(&mut *tx).await?;
            let claimed = sqlx::query(CLAIM).bind(id).bind(name).execute(&mut *tx).await?.rows_affected() > 0;
            if claimed {
                sqlx::query(PART).bind(id).bind(name).bind(DbUuid(Uuid::new_v4())).execute(&mut *tx).await?;
                sqlx::query(TELL).bind(id).bind(at).bind(name).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(claimed)
        }.await)
    }
}
