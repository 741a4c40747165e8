//! A look into the database by somebody else's query: it reads, and cannot write.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sqlx::AssertSqlSafe;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::store::backend::{Backend, Checkout, begin_reading, in_time};
use crate::store::{Store, StoreError};

/// Why a look shows nothing: the database's own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LookError(String);

/// No more rows are read than this.
const MAX_ROWS: usize = 10_000;
/// How long a query may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a query yields: rows of values as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

impl Store {
    /// Runs one SELECT. It stands within a SELECT of ours, so that it cannot be anything else; on SQLite the connection
    /// cannot write, on PostgreSQL the transaction cannot.
    ///
    /// # Errors
    /// [`LookError`] when it is wrong, writes, or takes too long.
    pub async fn look(&self, query: &str) -> Result<Rows, LookError> {
        let query = query.trim().trim_end_matches(';');
        let looked = in_time(PATIENCE, async {
            match self.backend() {
                Backend::Sqlite(sqlite) => {
                    // On lines of its own, so that a comment at its end does not take our bracket along.
                    let sql = format!("SELECT * FROM (\n{query}\n) AS q LIMIT {MAX_ROWS}");
                    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&sqlite.pools.readers()).await?;
                    Ok(of_sqlite(&rows)?)
                }
                Backend::Postgres(postgres) => {
                    let sql = format!("SELECT row_to_json(q)::text FROM (\n{query}\n) AS q LIMIT {MAX_ROWS}");
                    let mut connection = Checkout::of(&postgres.pool).await?;
                    let mut transaction = connection.begin(begin_reading(postgres.pooled).to_owned()).await?;
                    sqlx::query("SET TRANSACTION READ ONLY").execute(&mut *transaction).await?;
                    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *transaction).await?;
                    transaction.rollback().await?;
                    connection.is_over();
                    of_postgres(&rows)
                }
            }
        })
        .await;
        looked.map_err(|error| LookError(error.reason().to_string()))
    }
}

fn of_sqlite(rows: &[SqliteRow]) -> Result<Rows, sqlx::Error> {
    // Unchecked: SQLite turns any value into text.
    let texts = |row: &SqliteRow| (0..row.len()).map(|i| row.try_get_unchecked(i)).collect();
    rows.iter().map(texts).collect()
}

fn of_postgres(rows: &[String]) -> Result<Rows, StoreError> {
    let unlike = |e: serde_json::Error| StoreError::unavailable(format!("a row is no JSON: {e}"));
    rows.iter().map(|row| serde_json::from_str(row).map(|Values(values)| values).map_err(unlike)).collect()
}

/// The values of a JSON object in their order, as text.
struct Values(Vec<Option<String>>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Values;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some((IgnoredAny, value)) = map.next_entry::<IgnoredAny, Box<RawValue>>()? {
                    values.push(match value.get() {
                        "null" => None,
                        quoted if quoted.starts_with('"') => Some(serde_json::from_str(quoted).map_err(Error::custom)?),
                        other => Some(other.to_owned()),
                    });
                }
                Ok(Values(values))
            }
        }
        from.deserialize_map(Members)
    }
}
