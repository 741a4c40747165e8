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

/// Locks what is renamed, in the order of all transactions.
const LOCK_OLD: [&str; 2] = [
    "SELECT session_id FROM archon_mcp_sessions WHERE principal = $1 AND status = 'active' ORDER BY session_id FOR UPDATE",
    "SELECT protocol_session_id FROM archon_mcp_protocol_sessions WHERE principal = $1 AND status = 'active' \
     ORDER BY protocol_session_id FOR UPDATE",
];

const RENAME_ARCHON: &str = "UPDATE archon_mcp_sessions SET principal = $2, user_name = $2, \
     user_email = COALESCE($3, user_email), user_id = COALESCE($4, user_id) WHERE principal = $1 AND status = 'active'";

const RENAME: &str =
    "UPDATE archon_mcp_protocol_sessions SET principal = $2 WHERE principal = $1 AND status = 'active'";

const TELL_RENAMED: &str =
    "INSERT INTO archon_mcp_session_events (at, kind, reason, actor) VALUES ($1, 'renamed', $2, 'token file')";

/// What a principal had that has another name now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renamed {
    /// Live connections.
    pub connections: u64,
    /// Live Archon sessions.
    pub archon: u64,
}

impl Store {
    /// Gives the live sessions of a principal to another, who is the same under a new name. What has ended keeps the name
    /// that it had. One event tells of all.
    ///
    /// # Errors
    /// [`StoreError`]; then none is renamed.
    pub async fn rename_principal(&self, old: &str, new: &Principal, at: Timestamp) -> Result<Renamed, StoreError> {
        let dialect = self.dialect();
        let (name, email, id) = (&*new.name, new.email.as_deref(), new.id.map(DbUuid));
        transact!(self, tx => async {
            if dialect.locks_rows() {
                for lock in LOCK_OLD {
                    sqlx::query(lock).bind(old).execute(&mut *tx).await?;
                }
            }
            let archon = sqlx::query(RENAME_ARCHON).bind(old).bind(name).bind(email).bind(id)
                .execute(&mut *tx).await?.rows_affected();
            let connections = sqlx::query(RENAME).bind(old).bind(name).execute(&mut *tx).await?.rows_affected();
            if connections + archon > 0 {
                let what = format!("{old} is {name}: {connections} connections, {archon} Archon sessions");
                sqlx::query(TELL_RENAMED).bind(at).bind(what).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(Renamed { connections, archon })
        }.await)
    }

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
