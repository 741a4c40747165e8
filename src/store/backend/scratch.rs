//! A place of its own in a PostgreSQL database: a schema that nobody else uses, gone when it is no longer needed. What
//! else is in the database is not touched.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::error::OpenError;
use super::location::Location;

/// How long PostgreSQL may take to make it, or to let it go.
const PATIENCE: Duration = Duration::from_secs(30);

/// The parameter of a URL that names the schema, percent-encoded.
const SEARCH_PATH: &str = "options=-c%20search_path%3D";
/// How the name of each begins.
const NAME: &str = "archonctl_selftest_";

/// A schema, and the URL by which everything of ours lands in it.
#[derive(Debug)]
pub struct Scratch {
    database: String,
    schema: String,
}

impl Scratch {
    /// Makes a schema in the database of that URL.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`] when the database does not answer, or lets us make none.
    pub async fn make(database: &str) -> Result<Self, OpenError> {
        let schema = format!("{NAME}{}", Uuid::new_v4().simple());
        let scratch = Self { database: database.to_owned(), schema };
        scratch.execute(&format!("CREATE SCHEMA {}", scratch.schema)).await?;
        Ok(scratch)
    }

    /// The one that a URL of [`Self::url`] leads to, for whoever is left to remove it.
    pub fn of(location: &Location) -> Option<Self> {
        let Location::Postgres(url) = location else { return None };
        let (_, rest) = url.split_once(&format!("{SEARCH_PATH}{NAME}"))?;
        let id: Uuid = rest.split('&').next()?.parse().ok()?;
        Some(Self { database: url.clone(), schema: format!("{NAME}{}", id.simple()) })
    }

    /// Whether schemas may be made in the database of that URL.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub async fn check(database: &str) -> Result<(), OpenError> {
        let scratch = Self { database: database.to_owned(), schema: "archonctl_selftest".to_owned() };
        // A statement that fails where the right is missing, and leaves nothing.
        let sql = "DO $$ BEGIN IF NOT has_database_privilege(current_database(), 'CREATE') THEN \
                   RAISE 'this user may make no schema in it'; END IF; END $$";
        scratch.execute(sql).await
    }

    /// The URL of the database in which the schema is the only one seen.
    pub fn url(&self) -> String {
        let (base, query) = self.database.split_once('?').unwrap_or((&self.database, ""));
        let others = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("options="));
        let mut parts: Vec<_> = others.map(str::to_owned).collect();
        parts.push(format!("{SEARCH_PATH}{}", self.schema));
        format!("{base}?{}", parts.join("&"))
    }

    /// Removes the schema and all that is in it.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`] when the database does not answer; the schema is then left behind, and named.
    pub async fn remove(self) -> Result<(), OpenError> {
        self.execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema)).await
    }

    async fn execute(&self, sql: &str) -> Result<(), OpenError> {
        let unreachable = |reason: String| OpenError::Unreachable {
            database: Location::Postgres(self.database.clone()).shown(),
            reason: format!("{reason} (schema {})", self.schema).into(),
        };
        let work = async {
            let mut connection = PgConnection::connect(&self.database).await?;
            sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
            connection.close().await
        };
        match timeout(PATIENCE, work).await {
            Ok(done) => done.map_err(|e| unreachable(e.to_string())),
            Err(_) => Err(unreachable("it does not answer".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_parameters_stay() {
        let url = |database: &str| Scratch { database: database.to_owned(), schema: "s".to_owned() }.url();
        assert_eq!(url("postgres://h/d"), "postgres://h/d?options=-c%20search_path%3Ds");
        assert_eq!(
            url("postgres://h/d?sslmode=require&options=-c%20x%3D1"),
            "postgres://h/d?sslmode=require&options=-c%20search_path%3Ds"
        );
    }

    #[test]
    fn is_found_again_by_its_url_and_no_other_schema_is() {
        let schema = format!("{NAME}{}", Uuid::new_v4().simple());
        let url = |schema: &str| Scratch { database: "postgres://h/d?x=1".to_owned(), schema: schema.to_owned() }.url();
        let of = |url: String| Scratch::of(&Location::Postgres(url)).map(|found| found.schema);
        assert_eq!(of(url(&schema)), Some(schema));
        for other in ["public", "archonctl_selftest_", "archonctl_selftest_x;--"] {
            assert_eq!(of(url(other)), None, "{other}");
        }
        assert!(Scratch::of(&Location::SqliteMemory).is_none());
    }
}
