//! `archonctl expire`: an operator ends sessions.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use humantime::parse_duration as duration;
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::exit::{DONE, NO, NoSession, Usage};
use super::output::{List, Output, Screen, View, print_note};
use super::{ask, identity, which};
use crate::model::text::name;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::Queries;
use crate::queries::columns::{Cell, Column, Listed, members, program};
use crate::queries::find::Found;
use crate::queries::sessions::{Session, SessionFilter, SessionState, State};
use crate::session::operator::{Order, Targets, expire};
use crate::store::{Role, StoreError};

/// The longest reason that is kept.
const LONGEST_REASON: usize = 500;

const EXAMPLES: &str = "\
Examples:
  archonctl expire 550e8400 --reason 'stuck client'
  archonctl expire --idle 2h --dry-run
  archonctl expire --client 'Claude Code' --yes
  archonctl expire --all --reason maintenance

Servers refuse an ended session within a second or so; its client opens a new one. What ends is a connection, and its
Archon session with it, unless another connection shares that. An Archon session's id, live or not, means every connection
that is bound to it or has opened it; --idle goes by a connection's last use. Who ended it is recorded as USER@HOST.
JSON: {\"version\": 1, \"dry_run\": false, \"ended\": 1, \"sessions\": [...]}.";

/// End sessions
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "idle", "client", "all"]))]
pub struct Options {
    /// Sessions to end: ids of either kind, or their beginnings
    #[arg(value_name = "ID", conflicts_with_all = ["idle", "client", "all"])]
    ids: Vec<String>,
    /// End the sessions that have been idle for at least this time, such as 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    idle: Option<Duration>,
    /// End the sessions of this client: its type or its reported name
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// End every live session, idle ones included
    #[arg(long, conflicts_with_all = ["idle", "client"])]
    all: bool,
    /// Only print which sessions would end
    #[arg(long)]
    dry_run: bool,
    /// Reason, recorded with the sessions
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    database: Database,
}

impl Options {
    /// Ends them.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`]. Nothing was ended then, or some chunks of many.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.queries(Role::Operator).await?;
        let mut sessions =
            if self.ids.is_empty() { self.chosen(&queries).await? } else { self.given(&queries).await? };
        let now = queries.clock().now();
        if self.dry_run || sessions.is_empty() {
            self.output.print(&Done::new(sessions, self.dry_run, now))?;
            return Ok(ExitCode::from(DONE));
        }
        if self.ids.is_empty() && !self.yes && !may_end(sessions.len())? {
            print_note("Nothing was ended.");
            return Ok(ExitCode::from(NO));
        }
        let note = self.reason.as_deref().map(|reason| name(reason, LONGEST_REASON));
        let order = Order { by: identity::actor(), note, at: queries.clock().now() };
        let mut targets = Targets::default();
        for session in &sessions {
            targets.add(&session.session_id, session.protocol_session_id.as_deref());
        }
        let ended = expire(queries.store(), &targets, &order).await?;
        // Where no server runs, what was written stands in the file itself, not beside it. A server's log stays as it is.
        if let Err(error) = queries.store().close().await {
            tracing::debug!(%error, "the database is not closed in order");
        }
        // Some may have ended by themselves meanwhile.
        sessions.retain(|session| ended.contains(session.id()));
        self.output.print(&Done::new(sessions, false, now))?;
        Ok(ExitCode::from(DONE))
    }

    /// Live sessions that the options choose.
    async fn chosen(&self, queries: &Queries) -> Result<Vec<Session>, StoreError> {
        let filter = SessionFilter {
            standings: vec![SessionState::Alive],
            client: self.client.clone(),
            idle: self.idle,
            ..SessionFilter::default()
        };
        Ok(queries.sessions(&filter).await?.rows)
    }

    /// The sessions that were named; each must be there and live, or none is ended.
    async fn given(&self, queries: &Queries) -> anyhow::Result<Vec<Session>> {
        let mut sessions = Vec::<Session>::new();
        for typed in &self.ids {
            for session in live(queries, &which::session(queries, typed).await?, typed).await? {
                if !sessions.iter().any(|other| other.id() == session.id()) {
                    sessions.push(session);
                }
            }
        }
        Ok(sessions)
    }
}

/// The live sessions that an id means.
async fn live(queries: &Queries, found: &Found, typed: &str) -> anyhow::Result<Vec<Session>> {
    let all = queries.meant(found).await?;
    let hint = || "archonctl list --idle shows live sessions".to_owned();
    let Some(first) = all.first() else {
        return Err(NoSession { message: format!("the session {typed} is gone"), hint: hint() }.into());
    };
    if all.iter().all(|session| session.state == State::Ended) {
        let id = found.session_id.map_or_else(|| first.id().to_owned(), |id| id.to_string());
        let reason = first.disconnect_reason.as_ref().map_or("-", Word::as_str);
        let by = first.ended_by.as_ref().map_or("nobody", Word::as_str);
        let message = format!("the session {id} has ended already: {reason} by {by}");
        return Err(NoSession { message, hint: hint() }.into());
    }
    Ok(all.into_iter().filter(|session| session.state != State::Ended).collect())
}

/// Asks on a terminal; off one nobody can answer.
fn may_end(count: usize) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        let message = format!("{} would end, and there is no terminal to ask on", sessions_text(count));
        return Err(Usage::new(message, "add --yes, or look first with --dry-run").into());
    }
    Ok(ask::agreed(&format!("End {}?", sessions_text(count)))?)
}

fn sessions_text(count: usize) -> String {
    if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") }
}

/// What was done, or would be.
struct Done {
    list: List<Ended>,
    dry_run: bool,
}

/// A session that was ended, or would be.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    session_id: String,
    protocol_session_id: Option<String>,
    client_type: String,
    client_version: Option<String>,
    user_name: Option<String>,
    last_activity: Timestamp,
    calls: i64,
}

impl Done {
    fn new(sessions: Vec<Session>, dry_run: bool, now: Timestamp) -> Self {
        let count = if dry_run { 0 } else { sessions.len() };
        let rows = sessions.into_iter().map(|s| Ended {
            session_id: s.session_id,
            protocol_session_id: s.protocol_session_id,
            client_type: s.client_type,
            client_version: s.client_version,
            user_name: s.user_name,
            last_activity: s.last_activity,
            calls: s.calls,
        });
        let list = List::new(rows.collect(), now).with("dry_run", dry_run).with("ended", count);
        Self { list, dry_run }
    }
}

impl View for Done {
    fn text(&self, screen: &Screen) -> String {
        let count = self.list.rows.len();
        let (would, sessions) = (if self.dry_run { "Would end " } else { "Ended " }, sessions_text(count));
        if count == 0 {
            return "No live session matches; nothing was ended.".to_owned();
        }
        format!("{}\n\n{would}{sessions}.", self.list.text(screen))
    }

    fn note(&self) -> Option<String> {
        None
    }

    fn document(&self) -> serde_json::Result<String> {
        self.list.document()
    }

    fn lines(&self) -> serde_json::Result<Vec<String>> {
        self.list.lines()
    }

    fn csv(&self, header: bool) -> io::Result<String> {
        self.list.csv(header)
    }
}

impl Listed for Ended {
    type Context = Timestamp;

    const LIST: &'static str = "sessions";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("id", "SESSION", 9, 0, |e, _| Cell::id(e.protocol_session_id.as_ref().unwrap_or(&e.session_id))),
        Column::text("client", "CLIENT", 8, 0, |e, _| Cell::text(program(&e.client_type, e.client_version.as_deref()))),
        Column::text("user", "USER", 6, 2, |e, _| Cell::maybe(e.user_name.as_deref())),
        Column::text("used", "LAST USED", 0, 0, |e, now| Cell::ago(e.last_activity, *now)),
        Column::figure("calls", "CALLS", 1, |e, _| Cell::count(e.calls)),
        Column::text("archon", "ARCHON SESSION", 9, 3, |e, _| Cell::id(&e.session_id)),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}
