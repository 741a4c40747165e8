//! The list of sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::alive::Moment;
use crate::store::reports::sessions::{Page, SessionRow, Standing};

/// A session, as lists show it:
///
/// ```json
/// {"session_id": "…", "protocol_session_id": "…", "protocol_version": "2025-11-25", "status": "active", "called_tools": true, "client_type": "Claude Code",
///  "client_name": "claude-code", "client_version": "1.0.0", "user_id": null, "user_name": "alice", "user_email": null,
///  "connected_at": "2026-01-10T12:00:00.000Z", "last_activity": "…", "expires_at": "…", "disconnected_at": null,
///  "disconnect_reason": null, "ended_by": null, "duration_s": 60, "calls": 3, "errors": 0, "prompt_tokens": 30,
///  "completion_tokens": 60}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The Archon session's id; the one reserved for it, while its client has called no tool.
    pub session_id: String,
    /// The protocol session that was used last.
    pub protocol_session_id: Option<String>,
    /// The revision that one agreed on.
    pub protocol_version: Option<String>,
    /// What it is now: a row that is past its time is expired, whether or not a server has met it.
    pub status: Status,
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
    /// Why it ended: `client_disconnect`, `timeout`, `max_age`, `operator`, or what somebody typed.
    pub disconnect_reason: Option<String>,
    /// Who ended it: `client`, `server`, an operator, `sql`; nobody has, if its time is over and no server has met it.
    pub ended_by: Option<String>,
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

/// Where a session stands, to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Usable.
    Active,
    /// Somebody ended it.
    Disconnected,
    /// Its time is over.
    Expired,
}

impl Status {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
        }
    }

    /// Of the word in a row's `status` column and the end of its time.
    pub(super) fn of(word: &str, end: Option<Timestamp>, now: Timestamp) -> Self {
        match word {
            "active" if end.is_some_and(|end| end < now) => Self::Expired,
            "active" => Self::Active,
            "expired" => Self::Expired,
            _ => Self::Disconnected,
        }
    }
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of these standings; none is all.
    pub statuses: Vec<Status>,
    /// Of that client type or name, whatever its case.
    pub client: Option<String>,
    /// Of that user's name, address or id, whatever its case.
    pub user: Option<String>,
    /// Used within that time.
    pub since: Option<Duration>,
    /// Not used for that time.
    pub idle: Option<Duration>,
    /// At most so many; `None` is all.
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

/// The end of a row, as far as it has one: a row that is past its time ended then.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: Status,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) at: Option<Timestamp>,
    pub(super) reason: Option<String>,
    pub(super) by: Option<String>,
}

impl End {
    /// Of a row's columns: its status, what it says of its time, and of its end.
    pub(super) fn of(
        word: &str,
        (expires_at, boot, began): (Option<Timestamp>, Option<i64>, Timestamp),
        (at, reason, by): (Option<Timestamp>, Option<String>, Option<String>),
        moment: &Moment,
    ) -> Self {
        if word != "active" {
            return Self { status: Status::of(word, None, moment.now), expires_at, at, reason, by };
        }
        let end = moment.end_of(expires_at, boot, began);
        let status = Status::of(word, end, moment.now);
        if status == Status::Expired {
            // A server would say `max_age` of some; only it knows the greatest age that it allows.
            return Self { status, expires_at: end, at: end, reason: Some("timeout".to_owned()), by: None };
        }
        Self { status, expires_at: end, at: None, reason: None, by: None }
    }
}

impl Session {
    /// A row, as it stands at that moment.
    pub(super) fn of(row: SessionRow, moment: &Moment) -> Self {
        let time = (row.expires_at, row.boot, row.connected_at);
        let end = End::of(&row.status, time, (row.disconnected_at, row.disconnect_reason, row.ended_by), moment);
        Self {
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
    fn standings(&self) -> Vec<Standing> {
        let wants = |status| self.statuses.is_empty() || self.statuses.contains(&status);
        let of = |status, standings: &'static [Standing]| wants(status).then_some(standings).into_iter().flatten();
        of(Status::Active, &[Standing::Alive])
            .chain(of(Status::Disconnected, &[Standing::Disconnected]))
            .chain(of(Status::Expired, &[Standing::Over, Standing::Expired]))
            .copied()
            .collect()
    }

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
        for standing in filter.standings() {
            rows.extend(self.store.sessions(standing, &moment, &page).await?);
        }
        let mut rows: Vec<_> = rows.into_iter().map(|row| Session::of(row, &moment)).collect();
        rows.sort_by(|a, b| b.last_activity.cmp(&a.last_activity).then_with(|| a.session_id.cmp(&b.session_id)));
        let limit = filter.limit.unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Sessions { rows, more, now: moment.now })
    }
}
