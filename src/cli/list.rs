//! `archonctl list`: the sessions.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;

use super::database::Database;
use super::output::{Cell, Column, List, Listed, Output, ago, column};
use super::watch::Watch;
use super::which::{Limit, StatusArg};
use crate::model::timestamp::Timestamp;
use crate::queries::Queries;
use crate::queries::sessions::{Session, SessionFilter, Status};

const EXAMPLES: &str = "\
Examples:
  archonctl list
  archonctl list --all --since 24h --client 'Claude Code'
  archonctl list --watch
  archonctl list --json | jq -r '.sessions[].session_id'

Live sessions are listed, the most recently used first; with them clients that are connected and have called no tool yet.
It reads the database, so it works whether or not a server is up. JSON: {\"version\": 1, \"sessions\": [...]}.";

/// List sessions, and clients that have called no tool yet
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "ls")]
pub struct Options {
    /// Ended sessions, too
    #[arg(short, long, conflicts_with = "status")]
    all: bool,
    /// Only those that are active, disconnected or expired; several with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', hide_possible_values = true)]
    status: Vec<StatusArg>,
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
        let statuses = match (self.all, self.status.as_slice()) {
            (true, _) => Vec::new(),
            (false, []) => vec![Status::Active],
            (false, some) => some.iter().map(|status| (*status).into()).collect(),
        };
        let Filter { client, user, since } = self.filter.clone();
        let limit = self.limit.count();
        let filter = SessionFilter { statuses, client, user, since, idle: None, limit };
        let found = queries.sessions(&filter).await?;
        let empty = if self.all || self.filter.is_set() || !self.status.is_empty() {
            "No session matches."
        } else {
            "No live sessions. archonctl list --all shows ended ones; archonctl serve starts a server."
        };
        Ok(List::new(found.rows, found.now).with("more", found.more).noting_if_empty(empty).noting_more(found.more))
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
        column("PROTOCOL SESSION", 9, 8),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::new(&self.session_id),
            status_cell(self.status),
            Cell::new(client_text(&self.client_type, self.client_version.as_deref())),
            Cell::or_dash(self.user_name.as_deref().or(self.user_email.as_deref())),
            Cell::new(ago(self.connected_at, now)),
            Cell::new(ago(self.last_activity, now)),
            if self.called_tools { Cell::new(self.calls.to_string()) } else { Cell::new("none yet").faint() },
            errors_cell(self.errors),
            Cell::new((self.prompt_tokens + self.completion_tokens).to_string()),
            Cell::or_dash(self.end()),
            Cell::or_dash(self.protocol_session_id.as_deref()),
        ]
    }
}

impl Session {
    /// `timeout (server)`.
    fn end(&self) -> Option<String> {
        let reason = self.disconnect_reason.as_deref()?;
        Some(self.ended_by.as_deref().map_or_else(|| reason.to_owned(), |by| format!("{by}, {reason}")))
    }
}

/// The program and its version.
pub(super) fn client_text(client_type: &str, version: Option<&str>) -> String {
    version.map_or_else(|| client_type.to_owned(), |version| format!("{client_type} {version}"))
}

/// A status in its colour.
pub(super) fn status_cell(status: Status) -> Cell {
    let cell = Cell::new(status.as_str());
    if status == Status::Active { cell.good() } else { cell.faint() }
}

/// A count that should be zero.
pub(super) fn errors_cell(errors: i64) -> Cell {
    let cell = Cell::new(errors.to_string());
    if errors > 0 { cell.bad() } else { cell }
}
