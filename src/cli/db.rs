//! `archonctl db`: care for the database.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::database::{Database, NoDatabase};
use super::exit::DONE;
use super::output::{List, Output};
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::queries::columns::{Cell, Column, Listed, Value, members};
use crate::store::reports::migrations::Migration;
use crate::store::{OpenError, Role};

const EXAMPLES: &str = "\
Examples:
  archonctl db migrate
  archonctl db migrate --database-url postgres://archon@db.example.org/archon";

/// Care for the database
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Migrate(Migrate),
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  archonctl db migrate
  archonctl db migrate --json

A server does the same when it starts; this is for whoever wants it done before. A database that is not there is made, and
a schema that is up to date stays as it is. Servers may go on meanwhile.
JSON: {\"version\": 1, \"database\": \"...\", \"schema\": 1, \"applied\": [{\"version\": 1, \"description\": \"...\"}]}.";

/// Bring the schema up to date
#[derive(Debug, Args)]
#[command(after_help = MIGRATE_EXAMPLES)]
struct Migrate {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    database: Database,
}

impl Options {
    /// Does it.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Migrate(options) => options.run().await,
        }
    }
}

impl Migrate {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let before = self.before().await?;
        let store = self.database.open(Role::Migrator).await?;
        let after = store.migrations().await?;
        let schema = after.last().map_or(0, |step| step.version);
        let shown = store.location().shown();
        let applied: Vec<_> = after.into_iter().filter(|step| !before.contains(step)).map(Step::from).collect();
        let note = match applied.len() {
            0 => format!("{shown} is up to date: its schema has version {schema}."),
            _ => format!("{shown} has been brought up to version {schema}."),
        };
        let list = List::new(applied, Clock::default().now()).with("database", shown).with("schema", schema);
        // What was migrated stands in the file itself, not beside it.
        store.close().await?;
        self.output.print(&list.noting(note))?;
        Ok(ExitCode::from(DONE))
    }

    /// The steps that were done before; none where there is no database yet.
    async fn before(&self) -> anyhow::Result<Vec<Migration>> {
        let looked = match self.database.open(Role::Reader).await {
            // Who opens it to write undoes the write that was cut short.
            Err(error) if matches!(error.downcast_ref(), Some(OpenError::CutShort { .. })) => {
                self.database.open(Role::Operator).await
            }
            looked => looked,
        };
        match looked {
            Ok(store) if store.is_foreign() => Err(OpenError::Foreign.into()),
            Ok(store) => {
                let migrations = store.migrations().await?;
                store.close().await?;
                Ok(migrations)
            }
            Err(error) if error.is::<NoDatabase>() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// A step that was done.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    version: i64,
    description: String,
}

impl From<Migration> for Step {
    fn from(migration: Migration) -> Self {
        Self { version: migration.version, description: migration.description }
    }
}

impl Listed for Step {
    type Context = Timestamp;

    const LIST: &'static str = "applied";

    const TABLE: &'static [Column<Self>] = &[
        Column::figure("version", "VERSION", 0, |step, _| Value::Number(step.version).into()),
        Column::text("step", "STEP", 8, 0, |step, _| Cell::text(&step.description)),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}
