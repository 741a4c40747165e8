//! What belongs to a principal.

use super::backend::read;
use super::lookup::patiently;
use super::{Store, StoreError};

impl Store {
    /// Live protocol sessions of a principal, not more than `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_of(&self, principal: &str, limit: i64) -> Result<Vec<String>, StoreError> {
        patiently(async {
            read!(self, db => sqlx::query_scalar(
                "SELECT protocol_session_id FROM archon_mcp_protocol_sessions \
                 WHERE principal = $1 AND status = 'active' LIMIT $2")
                .bind(principal).bind(limit).fetch_all(db).await)
        })
        .await
    }
}
