//! `archonctl list`: the sessions, which are clients' connections.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;

use super::database::Database;
use super::output::{List, Output};
use super::watch::Watch;
use super::which::Limit;
use super::words::one_of;
use crate::queries::Queries;
use crate::queries::sessions::{Session, SessionFilter, SessionState, StatusFilter};

const EXAMPLES: &str = "\
Examples:
  archonctl list
  archonctl list --idle
  archonctl list --all --since 24h --client 'Claude Code'
  archonctl list --watch
  archonctl list --json | jq -r '.sessions[].protocol_session_id'

A line is a client's connection (Mcp-Session-Id), the most recently used first. Listed are active ones: used within the
server's --session-timeout, or with a stream open. An idle one is kept, and its client may go on at any time. Archon
sessions that no connection opened have a line of their own. It reads the database, so it works whether or not a server is
up. JSON: {\"version\": 1, \"more\": false, \"idle\": 0, \"sessions\": [...]}; idle tells how many idle ones are left out.";

/// List sessions: clients' connections
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "ls")]
pub struct Options {
    /// Idle sessions, too
    #[arg(short, long, conflicts_with = "status")]
    idle: bool,
    /// Idle and ended sessions, too
    #[arg(short, long, conflicts_with = "status")]
    all: bool,
    /// Filter by status: active, idle, ended, disconnected or expired (both ended); several with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', hide_possible_values = true,
          value_parser = one_of(StatusFilter::ALL.iter().copied().filter(|status| *status != StatusFilter::Live)))]
    status: Vec<StatusFilter>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Clone, Args)]
struct Filter {
    /// Filter by client type or reported name
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Filter by user: name, email or id
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only sessions used in the last TIME, such as 15m or 2d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
}

impl Options {
    /// Lists.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        self.watch.show(&self.output, async || self.list(&queries).await).await
    }

    async fn list(&self, queries: &Queries) -> anyhow::Result<List<Session>> {
        let standings = match (self.all, self.idle, self.status.as_slice()) {
            (true, ..) => Vec::new(),
            (_, true, _) => vec![SessionState::Alive],
            (_, _, []) => SessionState::ACTIVE.to_vec(),
            (_, _, some) => some.iter().flat_map(|status| status.standings()).copied().collect(),
        };
        let Filter { client, user, since } = self.filter.clone();
        let filter = SessionFilter { standings, client, user, since, idle: None, limit: self.limit.count() };
        let found = queries.sessions(&filter).await?;
        let chosen = self.all || self.idle || !self.status.is_empty();
        let idle = if chosen {
            0
        } else {
            queries.session_count(&SessionFilter { standings: vec![SessionState::Idle], ..filter }).await?
        };
        let empty = if self.all || self.filter.is_set() || !self.status.is_empty() {
            "No session matches."
        } else {
            "No live sessions. archonctl list --all shows ended ones; archonctl serve starts a server."
        };
        let count = found.rows.len();
        let list = List::new(found.rows, found.now).with("more", found.more).with("idle", idle);
        Ok(match (idle, found.more) {
            (0, more) => list.noting_if_empty(empty).noting_more(more),
            (_, false) => list.noting(format!("+ {idle} idle (list --idle)")),
            (_, true) => {
                list.noting(format!("The first {count} are shown; --limit 0 shows all. + {idle} idle (list --idle)"))
            }
        })
    }
}

impl Filter {
    fn is_set(&self) -> bool {
        self.client.is_some() || self.user.is_some() || self.since.is_some()
    }
}
