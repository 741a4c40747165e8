//! `archonctl requests`: the handled requests.

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
use super::words::one_of;
use crate::model::request::RequestStatus;
use crate::queries::Queries;
use crate::queries::requests::{Request, RequestQuery};

const EXAMPLES: &str = "\
Examples:
  archonctl requests
  archonctl requests -f --status error
  archonctl requests --session 550e8400 --tool health_check --since 1h
  archonctl requests --limit 0 -o csv > requests.csv

The latest requests are shown, the newest last. A session's id may be of either kind, or the beginning of one:
an Archon session's id selects its own requests, a connection's id all that it ever made.
JSON: {\"version\": 1, \"requests\": [...]}; with -f a line for each request.";

/// List requests, or follow them with -f
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print new requests as they come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Args)]
struct Filter {
    /// Filter by session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Filter by client type or reported name
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Filter by user: name or email
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Filter by tool
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Filter by status: success, error or timeout
    #[arg(long, value_name = "STATUS", hide_possible_values = true,
          value_parser = one_of(RequestStatus::ALL.iter().copied()))]
    status: Option<RequestStatus>,
    /// Only the last TIME, such as 15m or 2d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
}

impl Options {
    /// Shows them.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        if self.follow && !queries.store().has_numbers() {
            let message = "the requests of an original Archon have no numbers to follow them by";
            return Err(Usage::new(message, "leave out --follow, and use --since").into());
        }
        let query = self.filter.query(&queries).await?;
        let source = Rows { queries: &queries, query, limit: self.limit.count() };
        if self.follow {
            return follow(&source, queries.store(), &self.output).await;
        }
        let list = List::new(source.before().await?, queries.clock().now());
        self.output.print(&list.noting_if_empty("No request matches, or none was made yet: archonctl call TOOL."))?;
        Ok(ExitCode::from(DONE))
    }
}

impl Filter {
    async fn query(&self, queries: &Queries) -> anyhow::Result<RequestQuery> {
        let session = match &self.session {
            Some(typed) => Some(which::session(queries, typed).await?),
            None => None,
        };
        let (client, user, tool) = (self.client.clone(), self.user.clone(), self.tool.clone());
        Ok(RequestQuery { session, client, user, tool, status: self.status, since: self.since })
    }
}

struct Rows<'a> {
    queries: &'a Queries,
    query: RequestQuery,
    limit: Option<usize>,
}

impl Source<Request> for Rows<'_> {
    async fn last(&self) -> anyhow::Result<i64> {
        Ok(self.queries.store().last_request().await?)
    }

    async fn before(&self) -> anyhow::Result<Vec<Request>> {
        Ok(self.queries.requests(&self.query, self.limit).await?)
    }

    async fn after(&self, number: i64) -> anyhow::Result<Vec<Request>> {
        Ok(self.queries.requests_after(&self.query, number).await?)
    }
}

impl Numbered for Request {
    fn number(&self) -> i64 {
        Self::number(self)
    }
}
