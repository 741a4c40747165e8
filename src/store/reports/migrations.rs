//! What has been done to the schema.

use crate::store::backend::read;
use crate::store::{Store, StoreError};

/// A step that the schema has been brought up by.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it is for.
    pub description: String,
}

impl Store {
    /// The steps that the schema has been brought up by, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        read!(self, db => sqlx::query_as("SELECT version, description FROM archonctl_migrations ORDER BY version")
            .fetch_all(db).await)
    }
}
