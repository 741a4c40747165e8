//! Clients: how their programs treat the server.

use super::Queries;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
pub use crate::store::reports::clients::ClientUse;

impl Queries {
    /// Sessions by client type and version; the most sessions first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(&self) -> Result<Vec<ClientUse>, StoreError> {
        let moment = self.moment().await?;
        self.store.clients(&moment).await
    }

    /// How many sessions began in each hour since then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begun_by_hour(&self, since: Timestamp) -> Result<Vec<(Timestamp, i64)>, StoreError> {
        let rows = self.store.begun_by_hour(since).await?;
        Ok(rows.into_iter().filter_map(|(hour, n)| Some((Timestamp::parse_sql(&hour)?, n))).collect())
    }
}
