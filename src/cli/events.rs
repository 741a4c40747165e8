//! `archonctl events`: what happened to sessions.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;

use super::database::Database;
use super::exit::{DONE, Usage};
use super::follow::{Numbered, Source, follow};
use super::output::{List, Output};
use super::which;
use super::which::Limit;
use crate::model::word::Word;
use crate::queries::Queries;
use crate::queries::events::{Event, EventQuery};

const EXAMPLES: &str = "\
Examples:
  archonctl events
  archonctl events -f --kind ended
  archonctl events --session 550e8400 --json

The latest events are shown, the newest last. JSON: {\"version\": 1, \"events\": [...]}; with -f a line for each event.";

/// List what happened to sessions, or follow it with -f
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print new events as they come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Filter by session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Filter by kind: initialised, created, ended, recovered, refused, …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only the last TIME, such as 15m or 2d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
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
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        if !queries.store().has_events() {
            let hint = "archonctl list --all and archonctl requests read what it has";
            return Err(Usage::new("an original Archon keeps no events", hint).into());
        }
        let session = match &self.session {
            Some(typed) => Some(which::session(&queries, typed).await?),
            None => None,
        };
        let query = EventQuery { session, kind: self.kind.clone().map(Word::read), since: self.since };
        let source = Rows { queries: &queries, query, limit: self.limit.count() };
        if self.follow {
            return follow(&source, queries.store(), &self.output).await;
        }
        let list = List::new(source.before().await?, queries.clock().now());
        self.output.print(&list.noting_if_empty("No event matches, or no client has connected yet."))?;
        Ok(ExitCode::from(DONE))
    }
}

struct Rows<'a> {
    queries: &'a Queries,
    query: EventQuery,
    limit: Option<usize>,
}

impl Source<Event> for Rows<'_> {
    async fn last(&self) -> anyhow::Result<i64> {
        Ok(self.queries.store().last_event().await?)
    }

    async fn before(&self) -> anyhow::Result<Vec<Event>> {
        Ok(self.queries.events(&self.query, self.limit).await?)
    }

    async fn after(&self, number: i64) -> anyhow::Result<Vec<Event>> {
        Ok(self.queries.events_after(&self.query, number).await?)
    }
}

impl Numbered for Event {
    fn number(&self) -> i64 {
        self.id
    }
}
