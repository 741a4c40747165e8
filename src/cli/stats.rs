//! `archonctl stats`: how much, how fast, how often wrong.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;
use serde_json::json;

use super::database::Database;
use super::list::errors_cell;
use super::output::{Cell, Column, List, Listed, Output, column, millis, when};
use super::watch::Watch;
use super::which::Limit;
use super::words::one_of;
use crate::model::timestamp::Timestamp;
use crate::queries::Queries;
use crate::queries::usage::{Group, Source, Usage, UsageQuery};

const EXAMPLES: &str = "\
Examples:
  archonctl stats
  archonctl stats --by hour --since 24h
  archonctl stats --by user --exact
  archonctl stats --by client -o csv

Tool calls are counted. Sums by tool, client, day and hour are kept by the minute, with latencies in steps: percentiles are
within 19 %. By session and user it shows the counters of the sessions that were used in that time, whose percentiles only
the rows know. --exact reads every row, which takes longer.
JSON: {\"version\": 1, \"by\": \"tool\", \"source\": \"rollups\", \"since\": null, \"total\": {...}, \"groups\": [...]}.";

/// Show how many calls there were, and how long they took
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// tool, client, session, user, day or hour (in UTC)
    #[arg(long, value_name = "GROUP", default_value = "tool", hide_possible_values = true,
          value_parser = one_of(Group::ALL.iter().copied()))]
    by: Group,
    /// Only calls of that time, such as 15m or 2d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Read the very rows
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

    async fn list(&self, queries: &Queries) -> anyhow::Result<List<Line>> {
        let by = self.by;
        let query = UsageQuery { by, since: self.since, exact: self.exact, limit: self.limit.count() };
        let found = queries.usage(query).await?;
        let line = |usage| Line { usage, by, is_total: false };
        let mut list = List::new(found.groups.into_iter().map(line).collect(), found.now)
            .with("by", json!(by))
            .with("source", json!(found.source))
            .with("since", json!(found.since))
            .with("more", found.more)
            .noting_if_empty("No tool was called in that time. archonctl call TOOL calls one.")
            .noting_more(found.more);
        list.columns[0] = list.columns[0].titled(title(by));
        list.total = Some(Line { usage: found.total, by, is_total: true });
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

/// A line of the statistics.
#[derive(Debug, serde::Serialize)]
struct Line {
    #[serde(flatten)]
    usage: Usage,
    #[serde(skip)]
    by: Group,
    #[serde(skip)]
    is_total: bool,
}

impl Line {
    fn name(&self) -> String {
        let name = &self.usage.name;
        if self.is_total {
            return "all".to_owned();
        }
        let length = match self.by {
            Group::Day => "2026-01-10".len(),
            Group::Hour => "2026-01-10 12:00".len(),
            _ => return if name.is_empty() { "-".to_owned() } else { name.clone() },
        };
        Timestamp::parse_sql(name).map(when).and_then(|text| Some(text.get(..length)?.to_owned())).unwrap_or_default()
    }
}

impl Listed for Line {
    const LIST: &'static str = "groups";
    const FIELDS: &'static [&'static str] = &[
        "name",
        "calls",
        "errors",
        "timeouts",
        "mean_ms",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "prompt_tokens",
        "completion_tokens",
    ];
    const COLUMNS: &'static [Column] = &[
        column("NAME", 9, 0),
        column("CALLS", 0, 0).right(),
        column("ERRORS", 0, 1).right(),
        column("TIMEOUTS", 0, 6).right(),
        column("MEAN", 0, 5).right(),
        column("P50", 0, 2).right(),
        column("P95", 0, 3).right(),
        column("P99", 0, 4).right(),
        column("TOKENS IN", 0, 7).right(),
        column("TOKENS OUT", 0, 8).right(),
    ];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        let usage = &self.usage;
        let name = Cell::new(self.name());
        vec![
            if self.is_total { name.faint() } else { name },
            Cell::new(usage.calls.to_string()),
            errors_cell(usage.errors),
            usage.timeouts.map_or_else(|| Cell::or_dash(None::<&str>), errors_cell),
            Cell::or_dash(usage.mean_ms.map(millis)),
            Cell::or_dash(usage.p50_ms.map(millis)),
            Cell::or_dash(usage.p95_ms.map(millis)),
            Cell::or_dash(usage.p99_ms.map(millis)),
            Cell::new(usage.prompt_tokens.to_string()),
            Cell::new(usage.completion_tokens.to_string()),
        ]
    }
}
