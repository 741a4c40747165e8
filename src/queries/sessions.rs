//! The list of sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Queries;
use super::end::End;
use crate::model::event::Actor;
use crate::model::session::EndReason;
pub use crate::model::session::SessionStatus;
use crate::model::timestamp::Timestamp;
use crate::model::word::{Word, words};
use crate::store::StoreError;
use crate::store::reports::alive::Moment;
pub use crate::store::reports::sessions::SessionState;
use crate::store::reports::sessions::{Page, SessionRow};

/// A session, as lists show it: a connection, or an Archon session that has none.
///
/// ```json
/// {"session_id": "…", "protocol_session_id": "…", "protocol_version": "2025-11-25", "status": "active",
///  "state": "idle", "called_tools": true, "client_type": "Claude Code", "client_name": "claude-code", "client_version": "1.0.0",
///  "user_id": null, "user_name": "alice", "user_email": null, "connected_at": "2026-01-10T12:00:00.000Z", "last_activity": "…", "expires_at": "…", "disconnected_at": null,
///  "disconnect_reason": null, "ended_by": null, "duration_s": 60, "calls": 3, "errors": 0, "prompt_tokens": 30,
///  "completion_tokens": 60}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the connection's Archon session: of the one that goes on, else the one that is reserved for the next; of an
    /// ended connection the last.
    pub session_id: String,
    /// The connection's id (`Mcp-Session-Id`); none where an Archon session has no connection.
    pub protocol_session_id: Option<String>,
    /// The revision agreed on.
    pub protocol_version: Option<String>,
    /// What it is now: a row that is past its time is expired, whether or not a server has met it.
    pub status: SessionStatus,
    /// The same in a user's words: is somebody there.
    pub state: State,
    /// Whether its client has called a tool yet.
    pub called_tools: bool,
    /// The detected program.
    pub client_type: String,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// From the token file.
    pub user_id: Option<String>,
    /// From the token file, or the principal.
    pub user_name: Option<String>,
    /// From the token file.
    pub user_email: Option<String>,
    /// When it began.
    pub connected_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid unless used, with what outages gave back; once it has ended: until when it was.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended: one of our reasons, or what somebody typed.
    pub disconnect_reason: Option<Word<EndReason>>,
    /// Who ended it; nobody has, if its time is over and no server has met it.
    pub ended_by: Option<Word<Actor>>,
    /// How long it lasted, or has lasted so far, in whole seconds.
    pub duration_s: u64,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

words! {
    /// Whether somebody is there.
    pub enum State, "state" {
        /// Used within the session timeout, or a stream of it is open.
        Active = "active",
        /// Not, but its client may go on at any time.
        Idle = "idle",
        /// It has ended.
        Ended = "ended",
    }
}

words! {
    /// By which words lists are asked for sessions.
    pub enum StatusFilter, "status" {
        /// Somebody is there.
        Active = "active",
        /// Nobody is, but its client may go on at any time.
        Idle = "idle",
        /// Either.
        Live = "live",
        /// It has ended.
        Ended = "ended",
        /// Somebody ended it.
        Disconnected = "disconnected",
        /// Its time is over.
        Expired = "expired",
    }
}

impl StatusFilter {
    /// Where such sessions stand.
    pub const fn standings(self) -> &'static [SessionState] {
        match self {
            Self::Active => SessionState::ACTIVE,
            Self::Idle => &[SessionState::Idle],
            Self::Live => &[SessionState::Alive],
            Self::Ended => SessionState::ENDED,
            Self::Disconnected => &[SessionState::Disconnected],
            Self::Expired => SessionState::TIMED_OUT,
        }
    }
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of these standings; none is all.
    pub standings: Vec<SessionState>,
    /// Of that client type or name, whatever its case.
    pub client: Option<String>,
    /// Of that user's name, address or id, whatever its case.
    pub user: Option<String>,
    /// Used within that time.
    pub since: Option<Duration>,
    /// Not used for that time.
    pub idle: Option<Duration>,
    /// The maximum number; `None` is all.
    pub limit: Option<usize>,
}

/// A list of sessions at one moment.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The most recently used first.
    pub rows: Vec<Session>,
    /// Whether there are more than the limit let in.
    pub more: bool,
    /// When.
    pub now: Timestamp,
}

impl Session {
    /// The id of the line: the connection's; without one, the Archon session's.
    pub fn id(&self) -> &str {
        self.protocol_session_id.as_deref().unwrap_or(&self.session_id)
    }

    /// A row, as it stands at that moment.
    pub(super) fn of(row: SessionRow, moment: &Moment) -> Self {
        let time = row.time();
        let said = (row.disconnected_at, row.disconnect_reason, row.ended_by);
        let end = match &row.protocol_session_id {
            Some(_) => End::of_connection(&row.status, &time, said, moment),
            None => End::of_archon(&row.status, &time, said, moment),
        };
        let state = match end.status {
            SessionStatus::Active if moment.is_used(&time) => State::Active,
            SessionStatus::Active => State::Idle,
            SessionStatus::Disconnected | SessionStatus::Expired => State::Ended,
        };
        Self {
            state,
            session_id: row.session_id,
            protocol_session_id: row.protocol_session_id,
            protocol_version: row.protocol_version,
            status: end.status,
            called_tools: row.called_tools,
            client_type: row.client_type.unwrap_or_else(|| crate::model::client_type::UNKNOWN.to_owned()),
            client_name: row.client_name,
            client_version: row.client_version,
            user_id: row.user_id,
            user_name: row.user_name,
            user_email: row.user_email,
            connected_at: row.connected_at,
            last_activity: row.last_activity,
            expires_at: end.expires_at,
            disconnected_at: end.at,
            disconnect_reason: end.reason,
            ended_by: end.by,
            duration_s: end.at.unwrap_or(moment.now).since(row.connected_at).as_secs(),
            calls: row.calls,
            errors: row.errors,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
        }
    }
}

impl SessionFilter {
    fn page(&self, now: Timestamp) -> Page {
        Page {
            client: self.client.as_deref().map(str::to_lowercase),
            user: self.user.as_deref().map(str::to_lowercase),
            since: self.since.map(|since| now.minus(since)),
            idle_since: self.idle.map(|idle| now.minus(idle)),
            // One more tells whether there are more.
            limit: self.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)),
        }
    }
}

impl Queries {
    /// Sessions that pass a filter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Sessions, StoreError> {
        let moment = self.moment().await?;
        let page = filter.page(moment.now);
        let mut rows = Vec::new();
        let standings = if filter.standings.is_empty() { SessionState::ALL } else { &filter.standings };
        for standing in standings {
            rows.extend(self.store.sessions(*standing, &moment, &page).await?);
        }
        let mut rows: Vec<_> = rows.into_iter().map(|row| Session::of(row, &moment)).collect();
        rows.sort_by(|a, b| b.last_activity.cmp(&a.last_activity).then_with(|| a.id().cmp(b.id())));
        let limit = filter.limit.unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Sessions { rows, more, now: moment.now })
    }

    /// How many sessions pass a filter, whatever its limit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_count(&self, filter: &SessionFilter) -> Result<i64, StoreError> {
        let moment = self.moment().await?;
        let page = filter.page(moment.now);
        let mut sum = 0;
        for standing in if filter.standings.is_empty() { SessionState::ALL } else { &filter.standings } {
            sum += self.store.session_count(*standing, &moment, &page).await?;
        }
        Ok(sum)
    }
}

#[cfg(test)]
impl Session {
    /// A made-up one, of a connection that began an hour before and is in use.
    pub(crate) fn made_up(id: &str, now: Timestamp) -> Self {
        Self {
            session_id: format!("archon-{id}"),
            protocol_session_id: Some(id.to_owned()),
            protocol_version: Some("2025-06-18".to_owned()),
            status: SessionStatus::Active,
            state: State::Active,
            called_tools: true,
            client_type: "Cursor".to_owned(),
            client_name: None,
            client_version: Some("1.0.0".to_owned()),
            user_id: None,
            user_name: None,
            user_email: None,
            connected_at: now.minus(Duration::from_hours(1)),
            last_activity: now,
            expires_at: Some(now.plus(Duration::from_hours(1))),
            disconnected_at: None,
            disconnect_reason: None,
            ended_by: None,
            duration_s: 3600,
            calls: 10,
            errors: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
        }
    }
}
