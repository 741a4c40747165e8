//! A look into the database by somebody else's query: it reads, and cannot write.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row};

use super::backend::{Backend, in_time};
use super::{Store, StoreError};

/// Why a look shows nothing: the database's own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LookError(String);

/// No more rows are read than this.
const MAX_ROWS: usize = 10_000;
/// How long a query may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a query yields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns; empty when there are no rows.
    pub columns: Vec<String>,
    /// The values as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Store {
    /// Runs one SELECT. It stands within a SELECT of ours, so that it cannot be anything else; on SQLite the connection
    /// cannot write, on PostgreSQL the transaction cannot.
    ///
    /// # Errors
    /// [`LookError`] when it is wrong, writes, or takes too long.
    pub async fn look(&self, query: &str) -> Result<Table, LookError> {
        let query = query.trim().trim_end_matches(';');
        let looked = in_time(PATIENCE, async {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => {
                    // On lines of its own, so that a comment at its end does not take our bracket along.
                    let sql = format!("SELECT * FROM (\n{query}\n) AS q LIMIT {MAX_ROWS}");
                    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&sqlite.readers).await?;
                    Ok(of_sqlite(&rows)?)
                }
                Backend::Postgres(pool) => {
                    let sql = format!("SELECT row_to_json(q)::text FROM (\n{query}\n) AS q LIMIT {MAX_ROWS}");
                    let mut transaction = pool.begin_with("BEGIN READ ONLY").await?;
                    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *transaction).await?;
                    transaction.rollback().await?;
                    of_postgres(&rows)
                }
            }
        })
        .await;
        looked.map_err(|error| match error {
            StoreError::Unavailable(words) | StoreError::Data(words) => LookError(words),
        })
    }
}

fn of_sqlite(rows: &[SqliteRow]) -> Result<Table, sqlx::Error> {
    let columns = rows.first().map(|row| row.columns().iter().map(|c| c.name().to_owned()).collect());
    // Unchecked: SQLite turns any value into text.
    let texts = |row: &SqliteRow| (0..row.len()).map(|i| row.try_get_unchecked(i)).collect();
    Ok(Table { columns: columns.unwrap_or_default(), rows: rows.iter().map(texts).collect::<Result<_, _>>()? })
}

fn of_postgres(rows: &[String]) -> Result<Table, StoreError> {
    let mut table = Table::default();
    for row in rows {
        let PgObject(members) =
            serde_json::from_str(row).map_err(|e| StoreError::Unavailable(format!("its JSON is none: {e}")))?;
        table.columns = members.iter().map(|(name, _)| name.clone()).collect();
        table.rows.push(members.into_iter().map(|(_, value)| value).collect());
    }
    Ok(table)
}

/// The members of a JSON object in their order, values as text.
struct PgObject(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for PgObject {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = PgObject;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PgObject, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let text = match value.get() {
                        "null" => None,
                        quoted if quoted.starts_with('"') => {
                            Some(serde_json::from_str(quoted).map_err(serde::de::Error::custom)?)
                        }
                        other => Some(other.to_owned()),
                    };
                    members.push((name, text));
                }
                Ok(PgObject(members))
            }
        }
        from.deserialize_map(Members)
    }
}
