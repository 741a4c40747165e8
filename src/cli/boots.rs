//! `archonctl boots`: the runs of servers.

use std::process::ExitCode;

use clap::Args;

use super::database::Database;
use super::exit::{DONE, Usage};
use super::output::{List, Output};
use super::which::Limit;

const EXAMPLES: &str = "\
Examples:
  archonctl boots
  archonctl boots --limit 5 --json

A line is a run of `archonctl serve`: START is its number among those of the same server. How one ended that left no word is
found by the next one, with what shows it: killed by a signal, out of memory, the machine started anew, a crash.

JSON: {\"version\": 1, \"boots\": [...]}, the newest last.";

/// List the starts of servers, and how each of them ended
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    database: Database,
}

impl Options {
    /// Shows them.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        if !queries.store().has_events() {
            let hint = "archonctl list --all and archonctl requests read what it has";
            return Err(Usage::new("an original Archon keeps no record of its starts", hint).into());
        }
        let mut boots = queries.boots_with_recovered(self.limit.count().unwrap_or(usize::MAX)).await?;
        boots.reverse();
        let list = List::new(boots, queries.clock().now());
        self.output.print(&list.noting_if_empty("No server has used this database yet."))?;
        Ok(ExitCode::from(DONE))
    }
}
