//! Making, changing and deleting projects: each change is the same when it is made twice.

use std::sync::LazyLock;

use uuid::Uuid;

use super::doubt::{ChangeError, Doubt};
use super::{CONTENTS, HEAD, MAX_DESCRIPTION, MAX_TITLE, Project, ProjectTexts};
use crate::model::text::{clean, name};
use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, transact};
use crate::store::{Store, StoreError};

/// One that is there already is this one, and stays as it is.
static CREATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO archon_projects (id, title, description, github_repo, created_at, updated_at) \
         VALUES ($1, COALESCE($2, ''), COALESCE($3, ''), NULLIF($4, ''), $5, $5) \
         ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING {HEAD}, {CONTENTS}"
    )
});

static UPDATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE archon_projects SET title = COALESCE($2, title), description = COALESCE($3, description), \
         github_repo = NULLIF(COALESCE($4, github_repo), ''), updated_at = $5 WHERE id = $1 \
         RETURNING {HEAD}, {CONTENTS}"
    )
});

impl Store {
    /// Makes a project. The id is the caller's: made twice under one id it is one project.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn create_project(
        &self,
        id: Uuid,
        texts: ProjectTexts<'_>,
        now: Timestamp,
    ) -> Result<Project, ChangeError> {
        let Cleaned { title, description, github_repo } = &cleaned(texts);
        let doubt = Doubt::default();
        let create = async || {
            transact!(self, tx => async {
                let project = sqlx::query_as(CREATE.as_str())
                    .bind(DbUuid(id)).bind(title).bind(description).bind(github_repo).bind(now)
                    .fetch_one(&mut *tx).await?;
                doubt.begins();
                Ok::<_, StoreError>(project)
            }.await)
        };
        let first = create().await;
        doubt.settle(first, create()).await
    }

    /// Changes a project's texts. `None` when there is no such project.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn update_project(
        &self,
        id: Uuid,
        texts: ProjectTexts<'_>,
        now: Timestamp,
    ) -> Result<Option<Project>, ChangeError> {
        let Cleaned { title, description, github_repo } = &cleaned(texts);
        let doubt = Doubt::default();
        let update = async || {
            transact!(self, tx => async {
                let project = sqlx::query_as(UPDATE.as_str())
                    .bind(DbUuid(id)).bind(title).bind(description).bind(github_repo).bind(now)
                    .fetch_optional(&mut *tx).await?;
                doubt.begins();
                Ok::<_, StoreError>(project)
            }.await)
        };
        let first = update().await;
        doubt.settle(first, update()).await
    }

    /// Takes a project out of the lists. Done twice, the first time counts. `false` when there is no such project.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn archive_project(&self, id: Uuid, by: Option<&str>, now: Timestamp) -> Result<bool, ChangeError> {
        let by = &by.map(|by| name(by, MAX_TITLE));
        let doubt = Doubt::default();
        let archive = async || {
            transact!(self, tx => async {
                let done = sqlx::query(
                    "UPDATE archon_projects SET archived_at = CASE WHEN archived THEN archived_at ELSE $2 END, \
                     archived_by = CASE WHEN archived THEN archived_by ELSE $3 END, \
                     updated_at = CASE WHEN archived THEN updated_at ELSE $2 END, archived = TRUE WHERE id = $1")
                    .bind(DbUuid(id)).bind(now).bind(by).execute(&mut *tx).await?;
                doubt.begins();
                Ok::<_, StoreError>(done.rows_affected() > 0)
            }.await)
        };
        let first = archive().await;
        doubt.settle(first, archive()).await
    }

    /// Puts a project back into the lists. `false` when there is no such project.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn unarchive_project(&self, id: Uuid, now: Timestamp) -> Result<bool, ChangeError> {
        let doubt = Doubt::default();
        let unarchive = async || {
            transact!(self, tx => async {
                let done = sqlx::query(
                    "UPDATE archon_projects SET updated_at = CASE WHEN archived THEN $2 ELSE updated_at END, \
                     archived = FALSE, archived_at = NULL, archived_by = NULL WHERE id = $1")
                    .bind(DbUuid(id)).bind(now).execute(&mut *tx).await?;
                doubt.begins();
                Ok::<_, StoreError>(done.rows_affected() > 0)
            }.await)
        };
        let first = unarchive().await;
        doubt.settle(first, unarchive()).await
    }

    /// Deletes a project for good. `false` when there is no such project.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn delete_project(&self, id: Uuid) -> Result<bool, ChangeError> {
        let doubt = Doubt::default();
        let delete = async || {
            transact!(self, tx => async {
                let done = sqlx::query("DELETE FROM archon_projects WHERE id = $1").bind(DbUuid(id)).execute(&mut *tx).await?;
                // Where there was nothing to delete, nothing is in doubt.
                if done.rows_affected() > 0 {
                    doubt.begins();
                }
                Ok::<_, StoreError>(done.rows_affected() > 0)
            }.await)
        };
        let first = delete().await;
        // The second time there may be nothing left: then it was the first that deleted it.
        doubt.settle(first, async { delete().await.map(|_| true) }).await
    }
}

struct Cleaned {
    title: Option<String>,
    description: Option<String>,
    github_repo: Option<String>,
}

fn cleaned(texts: ProjectTexts<'_>) -> Cleaned {
    Cleaned {
        title: texts.title.map(|text| clean(text, MAX_TITLE)),
        description: texts.description.map(|text| clean(text, MAX_DESCRIPTION)),
        github_repo: texts.github_repo.map(|text| clean(text, MAX_TITLE)),
    }
}
