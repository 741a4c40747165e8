//! `archonctl problems`: what is wrong now.

use std::cell::Cell;
use std::process::ExitCode;

use clap::Args;

use super::database::Database;
use super::exit::{DONE, NO};
use super::output::{List, Output};
use super::watch::Watch;
use crate::diagnosis::{Problem, Thresholds, look};

const EXAMPLES: &str = "\
Examples:
  archonctl problems
  archonctl problems --watch
  archonctl problems --json | jq -r '.problems[].next_step'

The exit code is 1 where something is wrong: in the server, its database, the calls of the last minutes, the sessions that
are in use, or the way in which a client treats its sessions. With --all notes are listed too, which are no reason for it.

JSON: {\"version\": 1, \"problems\": [...]}, the most urgent first.";

/// List what is wrong now, with what shows it and what to do next
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// List notes too: what is good to know
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    database: Database,
}

impl Options {
    /// Shows them.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let start = self.database.serve_hint()?;
        let queries = self.database.look().await?;
        let is_wrong = Cell::new(false);
        let shown = self.watch.show(&self.output, async || {
            let mut problems = look(&queries, &start, &Thresholds::default()).await?;
            is_wrong.set(problems.iter().any(Problem::is_wrong));
            problems.retain(|problem| self.all || problem.is_wrong());
            Ok(List::new(problems, queries.clock().now()).noting_if_empty("All is well."))
        });
        let code = shown.await?;
        Ok(if code == ExitCode::from(DONE) && is_wrong.get() { ExitCode::from(NO) } else { code })
    }
}
