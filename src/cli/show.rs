//! `archonctl show`: a session's whole story.

use std::io;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::database::Database;
use super::exit::NoSession;
use super::output::{List, Output, Screen, VERSION, View, Widths, ago, line, span, when};
use super::watch::Watch;
use super::which;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::Queries;
use crate::queries::columns::Listed;
use crate::queries::find::Found;
use crate::queries::sessions::{SessionStatus, State};
use crate::queries::story::Story;

const EXAMPLES: &str = "\
Examples:
  archonctl show 550e8400
  archonctl show 550e8400 --requests 0 --json
  archonctl show 550e8400 --watch

ID is a connection's (Mcp-Session-Id) or an Archon session's (X-Archon-Session-Id), live or not, or the beginning of one;
an Archon session's means the connection that it belongs to. JSON: {\"version\": 1, \"session\": {...},
\"client_capabilities\": {...}, \"end_note\": null, \"archon_sessions\": [...], \"older_removed\": false,
\"protocol_sessions\": [...], \"requests\": [...], \"events\": [...]}. CSV is the session alone.";

/// The number of Archon sessions of a connection that are shown; JSON has all.
const ARCHON_SESSIONS: usize = 20;

/// Show everything about a session
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The session's id, of either kind, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// Number of recent requests to show (0 = all)
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    requests: usize,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    database: Database,
}

impl Options {
    /// Tells it.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let queries = self.database.look().await?;
        let found = which::session(&queries, &self.id).await?;
        self.watch.show(&self.output, async || self.told(&queries, &found).await).await
    }

    async fn told(&self, queries: &Queries, found: &Found) -> anyhow::Result<ShownSession> {
        let requests = (self.requests > 0).then_some(self.requests);
        let gone = || NoSession {
            message: format!("the session {} is gone", self.id),
            hint: "archonctl list --all shows every session".to_owned(),
        };
        let story = queries.story(found, requests).await?.ok_or_else(gone)?;
        Ok(ShownSession { version: VERSION, story, now: queries.clock().now() })
    }
}

/// A story as it is shown.
#[derive(Debug, Serialize)]
struct ShownSession {
    version: u32,
    #[serde(flatten)]
    story: Story,
    #[serde(skip)]
    now: Timestamp,
}

impl View for ShownSession {
    fn text(&self, screen: &Screen) -> String {
        let session = &self.story.session;
        let moment = |at: Timestamp| format!("{} ({})", when(at), ago(at, self.now));
        let user = [&session.user_name, &session.user_email, &session.user_id];
        let user: Vec<_> = user.into_iter().flatten().map(String::as_str).collect();
        let mut facts = vec![
            ("Session", session.id().to_owned()),
            ("Archon session", self.archon()),
            ("Status", self.status()),
            ("Client", self.client()),
            ("User", if user.is_empty() { "-".to_owned() } else { user.join(", ") }),
            ("Started", moment(session.connected_at)),
            ("Last used", moment(session.last_activity)),
        ];
        facts.extend(session.disconnected_at.map(|at| ("Ended", format!("{}, {}", moment(at), self.end()))));
        facts.push(("Lasted", span(std::time::Duration::from_secs(session.duration_s))));
        facts.push(("Calls", self.calls()));
        let facts: Vec<_> = facts.iter().map(|(name, value)| format!("{name:<16}{}", line(value))).collect();
        let mut parts = vec![facts.join("\n")];
        let archon = &self.story.archon_sessions;
        let (title, shown) = (self.title(), &archon[archon.len().saturating_sub(ARCHON_SESSIONS)..]);
        // Where all were removed, that alone is told.
        let told = part(&title, shown, self.now, screen);
        parts.extend(told.or_else(|| self.story.older_removed.then(|| title.clone())));
        let shared = self.story.protocol_sessions.len() > 1;
        parts.extend(
            part("Connections of its Archon session", &self.story.protocol_sessions, self.now, screen)
                .filter(|_| shared),
        );
        parts.extend(part("Last requests", &self.story.requests, self.now, screen));
        parts.extend(part("Events", &self.story.events, self.now, screen));
        parts.join("\n\n")
    }

    fn note(&self) -> Option<String> {
        None
    }

    fn document(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn lines(&self) -> serde_json::Result<Vec<String>> {
        Ok(vec![self.document()?])
    }

    fn csv(&self, header: bool) -> io::Result<String> {
        List::new(vec![self.story.session.clone()], self.now).csv(header)
    }
}

/// A table under its title; nothing for none.
fn part<T: Listed + Clone>(title: &str, rows: &[T], now: Timestamp, screen: &Screen) -> Option<String> {
    let list = List::new(rows.to_vec(), now);
    (!rows.is_empty()).then(|| format!("{title}\n{}", list.continued(screen, &mut Widths::default())))
}

impl ShownSession {
    fn status(&self) -> String {
        let session = &self.story.session;
        match (session.state, session.expires_at) {
            (State::Ended, _) => session.status.as_str().to_owned(),
            (state, Some(at)) => format!("{}, ends in {} unless used", state.as_str(), span(at.since(self.now))),
            (state, None) => state.as_str().to_owned(),
        }
    }

    /// The Archon session of a connection, and how long it goes on.
    fn archon(&self) -> String {
        let id = &self.story.session.session_id;
        if self.story.session.protocol_session_id.is_none() {
            return "itself: no connection has opened it".to_owned();
        }
        let state = match self.story.archon_sessions.iter().find(|archon| archon.session_id == *id) {
            None if self.story.session.state == State::Ended => "no tool was called in it".to_owned(),
            None => "reserved for the next tool call".to_owned(),
            Some(archon) => match (archon.status, archon.expires_at) {
                (SessionStatus::Active, Some(at)) => format!("ends in {} unless used", span(at.since(self.now))),
                (status, _) => status.as_str().to_owned(),
            },
        };
        format!("{id} ({state})")
    }

    fn title(&self) -> String {
        let (all, removed) = (self.story.archon_sessions.len(), self.story.older_removed);
        let shown = all.min(ARCHON_SESSIONS);
        let of = if shown < all { format!(", the last {shown} of {all}") } else { String::new() };
        let removed = if removed { ": older ones were removed (--retention)" } else { "" };
        format!("Archon sessions{of}{removed}")
    }

    fn client(&self) -> String {
        let session = &self.story.session;
        let client = session.client();
        match &session.client_name {
            Some(name) if *name != session.client_type => format!("{client} ({name})"),
            _ => client,
        }
    }

    /// Why and by whom, with what an operator had to say.
    fn end(&self) -> String {
        let session = &self.story.session;
        let reason = session.disconnect_reason.as_ref().map_or("-", Word::as_str);
        let by = session
            .ended_by
            .as_ref()
            .map_or_else(|| ": its time is over; no server has ended it yet".to_owned(), |by| format!(" by {by}"));
        let note = self.story.end_note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        format!("{reason}{by}{note}")
    }

    fn calls(&self) -> String {
        let session = &self.story.session;
        if !session.called_tools {
            return "none yet".to_owned();
        }
        let tokens = format!("{} tokens in, {} out", session.prompt_tokens, session.completion_tokens);
        format!("{}, {} failed; {tokens}", session.calls, session.errors)
    }
}
