//! What the project tools keep: `archon_projects`, with the original's columns.

mod changes;
mod doubt;

use std::sync::LazyLock;

use uuid::Uuid;

pub use doubt::ChangeError;

use crate::model::text::clean;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, containing, read};
use crate::store::{Store, StoreError};

/// The longest title, repository or search text, in characters.
pub const MAX_TITLE: usize = 500;
/// The longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 100 * 1024;

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProjectHead {
    /// Its id.
    #[sqlx(try_from = "DbUuid")]
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Where its code lives.
    pub github_repo: Option<String>,
    /// Whether somebody pinned it.
    pub pinned: bool,
    /// A JSON array.
    pub features: String,
    /// Whether, when and by whom it was archived.
    #[sqlx(flatten)]
    pub archiving: Archiving,
    /// When it was made and last changed.
    #[sqlx(flatten)]
    pub times: Times,
}

/// Whether, when and by whom a project was archived.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Archiving {
    /// Whether it is archived: then lists leave it out.
    pub archived: bool,
    /// When.
    pub archived_at: Option<Timestamp>,
    /// By whom, if they said so.
    pub archived_by: Option<String>,
}

/// When a project was made and last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Times {
    /// Made.
    pub created_at: Timestamp,
    /// Last changed.
    pub updated_at: Timestamp,
}

/// A project in full.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Project {
    /// All but its contents.
    #[sqlx(flatten)]
    pub head: ProjectHead,
    /// A JSON array of documents.
    pub docs: String,
    /// A JSON array.
    pub data: String,
}

/// The texts of a project. In an update, what is absent stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProjectTexts<'a> {
    /// The title.
    pub title: Option<&'a str>,
    /// The description.
    pub description: Option<&'a str>,
    /// Where its code lives; an empty text clears it.
    pub github_repo: Option<&'a str>,
}

/// Which projects to list.
#[derive(Debug, Clone, Copy)]
pub struct ProjectQuery<'a> {
    /// A text in title or description, upper and lower case alike (beyond ASCII: on PostgreSQL only); empty for all.
    pub text: &'a str,
    /// How many to skip.
    pub skip: i64,
    /// How many at most.
    pub limit: i64,
}

/// One page of projects.
#[derive(Debug, Clone)]
pub struct ProjectPage {
    /// The projects, newest first.
    pub projects: Vec<ProjectHead>,
    /// How many there are on all pages.
    pub total: i64,
}

const HEAD: &str = "id, title, description, github_repo, pinned, CAST(features AS TEXT) AS features, archived, \
     archived_at, archived_by, created_at, updated_at";

const CONTENTS: &str = "CAST(docs AS TEXT) AS docs, CAST(data AS TEXT) AS data";

const LISTED: &str = "FROM archon_projects WHERE NOT archived \
     AND (lower(title) LIKE lower($1) ESCAPE '!' OR lower(description) LIKE lower($1) ESCAPE '!')";

static PROJECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {HEAD}, {CONTENTS} FROM archon_projects WHERE id = $1"));
static COUNT: LazyLock<String> = LazyLock::new(|| format!("SELECT COUNT(*) {LISTED}"));
static PAGE: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {HEAD} {LISTED} ORDER BY created_at DESC, id LIMIT $2 OFFSET $3"));

impl Store {
    /// The project of that id, archived or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn project(&self, id: Uuid) -> Result<Option<Project>, StoreError> {
        read!(self, db => sqlx::query_as(PROJECT.as_str()).bind(DbUuid(id)).fetch_optional(db).await)
    }

    /// One page of the projects that are not archived, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn projects(&self, query: ProjectQuery<'_>) -> Result<ProjectPage, StoreError> {
        let pattern = containing(&clean(query.text, MAX_TITLE));
        let total = read!(self, db => sqlx::query_scalar(COUNT.as_str()).bind(&pattern).fetch_one(db).await)?;
        let projects = read!(self, db => sqlx::query_as(PAGE.as_str())
            .bind(&pattern).bind(query.limit).bind(query.skip).fetch_all(db).await)?;
        Ok(ProjectPage { projects, total })
    }
}

#[cfg(test)]
mod tests;
