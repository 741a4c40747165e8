//! `archonctl stats`: how much, how fast, how often wrong.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;
use serde_json::json;

use super::database::Database;
use super::output::{List, Output};
use super::watch::Watch;
use super::which::Limit;
use super::words::one_of;
use crate::queries::Queries;
use crate::queries::columns::Within;
use crate::queries::usage::{Group, Source, Usage, UsageQuery};

const EXAMPLES: &str = "\
Examples:
  archonctl stats
  archonctl stats --by hour --since 24h
  archonctl stats --by user --exact
  archonctl stats --by client -o csv

Only tool calls count. Totals by tool, client, day and hour are kept per minute, with latencies in steps: percentiles are
within 19 %. By session and user it shows counters of the sessions used in that time; their percentiles can be had only
from the rows. --exact reads every row, which takes longer.
JSON: {\"version\": 1, \"by\": \"tool\", \"source\": \"rollups\", \"since\": null, \"total\": {...}, \"groups\": [...]}.";

/// Show how many calls there were, and how long they took
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Group by tool, client, session, user, day or hour (in UTC)
    #[arg(long, value_name = "GROUP", default_value = "tool", hide_possible_values = true,
          value_parser = one_of(Group::ALL.iter().copied()))]
    by: Group,
    /// Only calls in the last TIME, such as 15m or 2d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Compute from raw rows instead of totals (slower, exact)
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    limit: Limit,
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
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        self.watch.show(&self.output, async || self.list(&queries).await).await
    }

    async fn list(&self, queries: &Queries) -> anyhow::Result<List<Usage>> {
        let by = self.by;
        let query = UsageQuery { by, since: self.since, exact: self.exact, limit: self.limit.count() };
        let found = queries.usage(query).await?;
        let mut list = List::of(found.groups, Within::of(by))
            .with("by", json!(by))
            .with("source", json!(found.source))
            .with("since", json!(found.since))
            .with("more", found.more)
            .noting_if_empty("No tool was called in that time. archonctl call TOOL calls one.")
            .noting_more(found.more);
        list.columns[0] = list.columns[0].titled(title(by));
        list.total = Some((found.total, Within { is_total: true, ..Within::of(by) }));
        if found.source == Source::Counters && list.note.is_none() {
            list.note = Some("Percentiles by session and user: add --exact.".to_owned());
        }
        Ok(list)
    }
}

/// What stands above the names of groups.
const fn title(by: Group) -> &'static str {
    match by {
        Group::Tool => "TOOL",
        Group::Client => "CLIENT",
        Group::Session => "SESSION",
        Group::User => "USER",
        Group::Day => "DAY",
        Group::Hour => "HOUR",
    }
}
