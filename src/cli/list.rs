//! `archonctl list`: the sessions, which are clients' connections.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;

use super::database::Database;
use super::output::{Cell, Column, List, Listed, Output, ago, column};
use super::watch::Watch;
use super::which::Limit;
use super::words::one_of;
use crate::model::timestamp::Timestamp;
use crate::queries::Queries;
use crate::queries::sessions::{Session, SessionFilter, SessionStatus, Standing, State, StatusFilter};

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
    /// Idle ones, too
    #[arg(short, long, conflicts_with = "status")]
    idle: bool,
    /// Idle and ended ones, too
    #[arg(short, long, conflicts_with = "status")]
    all: bool,
    /// Only those that are active, idle or ended; or ended, and disconnected or expired; several with commas
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
    /// Only those of that client: its type, or its name as given
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Only those of that user: name, address or id
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only those used within that time, such as 15m or 2d
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
            (_, true, _) => vec![Standing::Alive],
            (_, _, []) => Standing::ACTIVE.to_vec(),
            (_, _, some) => some.iter().flat_map(|status| status.standings()).copied().collect(),
        };
        let Filter { client, user, since } = self.filter.clone();
        let filter = SessionFilter { standings, client, user, since, idle: None, limit: self.limit.count() };
        let found = queries.sessions(&filter).await?;
        let chosen = self.all || self.idle || !self.status.is_empty();
        let idle = if chosen {
            0
        } else {
            queries.session_count(&SessionFilter { standings: vec![Standing::Idle], ..filter }).await?
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

impl Listed for Session {
    const LIST: &'static str = "sessions";
    const FIELDS: &'static [&'static str] = &[
        "session_id",
        "protocol_session_id",
        "protocol_version",
        "status",
        "state",
        "called_tools",
        "client_type",
        "client_name",
        "client_version",
        "user_id",
        "user_name",
        "user_email",
        "connected_at",
        "last_activity",
        "expires_at",
        "disconnected_at",
        "disconnect_reason",
        "ended_by",
        "duration_s",
        "calls",
        "errors",
        "prompt_tokens",
        "completion_tokens",
    ];
    const COLUMNS: &'static [Column] = &[
        column("SESSION", 9, 0),
        column("STATUS", 6, 0),
        column("CLIENT", 8, 0),
        column("USER", 6, 5),
        column("STARTED", 0, 4),
        column("LAST USED", 0, 1),
        column("CALLS", 0, 2).right(),
        column("ERRORS", 0, 3).right(),
        column("TOKENS", 0, 6).right(),
        column("ENDED BY", 8, 7),
        column("ARCHON SESSION", 9, 8),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::new(self.id()),
            self.status_cell(),
            Cell::new(client_text(&self.client_type, self.client_version.as_deref())),
            Cell::or_dash(self.user_name.as_deref().or(self.user_email.as_deref())),
            Cell::new(ago(self.connected_at, now)),
            Cell::new(ago(self.last_activity, now)),
            if self.called_tools { Cell::new(self.calls.to_string()) } else { Cell::new("none yet").faint() },
            errors_cell(self.errors),
            Cell::new((self.prompt_tokens + self.completion_tokens).to_string()),
            Cell::or_dash(self.end()),
            Cell::new(&self.session_id),
        ]
    }
}

impl Session {
    /// Whether somebody is there; of an ended one, how it ended.
    fn status_cell(&self) -> Cell {
        match self.state {
            State::Active => Cell::new(self.state.as_str()).good(),
            State::Idle => Cell::new(self.state.as_str()),
            State::Ended => status_cell(self.status),
        }
    }

    /// `timeout (server)`.
    fn end(&self) -> Option<String> {
        let reason = self.disconnect_reason.as_ref()?;
        Some(self.ended_by.as_ref().map_or_else(|| reason.to_string(), |by| format!("{by}, {reason}")))
    }
}

/// The program and its version.
pub(super) fn client_text(client_type: &str, version: Option<&str>) -> String {
    version.map_or_else(|| client_type.to_owned(), |version| format!("{client_type} {version}"))
}

/// A status in its colour.
pub(super) fn status_cell(status: SessionStatus) -> Cell {
    let cell = Cell::new(status.as_str());
    if status == SessionStatus::Active { cell.good() } else { cell.faint() }
}

/// A count that should be zero.
pub(super) fn errors_cell(errors: i64) -> Cell {
    let cell = Cell::new(errors.to_string());
    if errors > 0 { cell.bad() } else { cell }
}
