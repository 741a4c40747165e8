//! Which database a command works on: the option that `serve` and all operator commands share.

use clap::Args;
use thiserror::Error;

use super::{identity, paths, secrets};
use crate::queries::{Queries, clock_of};
use crate::store::{Location, OpenError, OpenOptions, Role, Store};

/// Which database.
#[derive(Debug, Clone, Args)]
pub(super) struct Database {
    /// `sqlite://PATH`, `sqlite::memory:` or `postgres://USER@HOST/DATABASE` [default: the file archonctl/archon.db under
    /// `$XDG_STATE_HOME`]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// There is no database where a command looks for one. It says as whom it looked: with `sudo`, or as the user of a
/// service, the default is another file.
#[derive(Debug, Error)]
#[error("no archonctl database at {database} (looked for as user {user})")]
pub(super) struct NoDatabase {
    /// The file, or the URL without its password.
    pub(super) database: String,
    /// Who looked.
    pub(super) user: String,
}

impl Database {
    /// Where it is.
    ///
    /// # Errors
    /// When the URL names no database, or there is no folder for the default one.
    pub(super) fn location(&self) -> anyhow::Result<Location> {
        Ok(match &self.database_url {
            Some(url) => {
                secrets::hold_url(url);
                Location::parse(url)?
            }
            None => Location::SqliteFile(paths::default_database()?),
        })
    }

    /// The command that starts a server on it.
    ///
    /// # Errors
    /// Those of [`Self::location`].
    pub(super) fn serve_hint(&self) -> anyhow::Result<String> {
        Ok(match self.location()? {
            Location::SqliteFile(path) if paths::default_database().is_ok_and(|default| default == path) => {
                "archonctl serve".to_owned()
            }
            Location::SqliteFile(path) => format!("archonctl serve --database-url sqlite://{}", path.display()),
            _ => "archonctl serve --database-url (this database)".to_owned(),
        })
    }

    /// Opens it to look: it must be there, and may be an original Archon's.
    ///
    /// # Errors
    /// [`NoDatabase`] when it is not there; else [`OpenError`].
    pub(super) async fn look(&self) -> anyhow::Result<Queries> {
        self.queries(Role::Reader).await
    }

    /// The same in another role.
    ///
    /// # Errors
    /// [`NoDatabase`] when it is not there; else [`OpenError`].
    pub(super) async fn queries(&self, role: Role) -> anyhow::Result<Queries> {
        let store = self.open(role).await?;
        let clock = clock_of(&store).await?;
        Ok(Queries::new(store, clock))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`NoDatabase`] when it is not there; else [`OpenError`].
    pub(super) async fn open(&self, role: Role) -> anyhow::Result<Store> {
        let options = OpenOptions { location: self.location()?, role, sync_full: false };
        Store::open(&options).await.map_err(|error| match error {
            OpenError::Missing { database } => NoDatabase { database, user: identity::user() }.into(),
            other => other.into(),
        })
    }
}
