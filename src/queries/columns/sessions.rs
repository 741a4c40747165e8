//! Columns of sessions:
//!
//! ```text
//! SESSION   STATUS  CLIENT             USER   STARTED     LAST USED  CALLS  ERRORS  TOKENS  ENDED BY  ARCHON SESSION
//! SESSION   CLIENT       USER   STATE   AGE    IDLE  LEFT    CALLS  ERR  P95    LAST TOOL       WARNING
//! ```

use std::time::Duration;

use super::{Cell, Column, Listed, Tone, members};
use crate::model::timestamp::Timestamp;
use crate::protocol::revision::is_modern;
use crate::queries::latest::Latest;
use crate::queries::sessions::{Session, SessionStatus, State};

/// What is known of a session besides itself.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The moment.
    pub now: Timestamp,
    /// What it did last.
    pub latest: Option<Latest>,
    /// What an operator should know of it.
    pub warning: Cell,
    /// Its time is nearly over.
    pub near_end: bool,
}

impl From<Timestamp> for Beside {
    fn from(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }
}

impl Listed for Session {
    type Context = Beside;

    const LIST: &'static str = "sessions";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("id", "SESSION", 9, 0, |s, _| Cell::id(s.id())),
        Column::text("state", "STATUS", 6, 0, |s, _| s.state_cell()),
        Column::text("client", "CLIENT", 8, 0, |s, _| Cell::text(s.client())),
        Column::text("user", "USER", 6, 5, |s, _| Cell::maybe(s.user_name.as_deref().or(s.user_email.as_deref()))),
        Column::text("started", "STARTED", 0, 4, |s, beside: &Beside| Cell::ago(s.connected_at, beside.now)),
        Column::text("used", "LAST USED", 0, 1, |s, beside: &Beside| Cell::ago(s.last_activity, beside.now)),
        Column::figure("calls", "CALLS", 2, |s, _| s.calls_cell()),
        Column::figure("errors", "ERRORS", 3, |s, _| Cell::faults(s.errors)),
        Column::figure("tokens", "TOKENS", 6, |s, _| Cell::count(s.tokens())),
        Column::text("ended_by", "ENDED BY", 8, 7, |s, _| Cell::maybe(s.ended())),
        Column::text("archon", "ARCHON SESSION", 9, 8, |s, _| Cell::id(&s.session_id)),
    ];

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("id", "SESSION", (8, 8), 0, |s, _| Cell::id(s.id())),
        Column::within("client", "CLIENT", (8, 24), 0, |s, _| Cell::text(&s.client_type)),
        Column::within("version", "VERSION", (5, 12), 5, |s, _| Cell::maybe(s.client_version.as_deref())),
        Column::within("era", "ERA", (6, 6), 8, |s, _| Cell::maybe(s.era())),
        Column::within("revision", "REVISION", (10, 10), 7, |s, _| Cell::maybe(s.protocol_version.as_deref())),
        Column::within("user", "USER", (8, 16), 4, |s, _| Cell::maybe(s.user_name.as_deref())),
        Column::within("state", "STATE", (7, 12), 0, |s, _| s.state_cell()),
        Column::figure("age", "AGE", 4, |s, beside: &Beside| Cell::span(s.age(beside.now))),
        Column::figure("idle", "IDLE", 1, |s, beside: &Beside| s.idle_cell(beside.now)),
        Column::figure("left", "LEFT", 2, |s, beside: &Beside| s.left_cell(beside)),
        Column::figure("calls", "CALLS", 1, |s, _| Cell::count(s.calls)),
        Column::figure("errors", "ERR", 1, |s, _| Cell::faults(s.errors)),
        Column::figure("p95", "P95", 3, |_, beside: &Beside| {
            Cell::millis(beside.latest.as_ref().and_then(|l| l.p95_ms))
        }),
        Column::figure("tokens", "TOKENS", 6, |s, _| Cell::count(s.tokens())),
        Column::within("tool", "LAST TOOL", (14, 24), 3, |_, beside: &Beside| beside.last_tool()),
        Column::within("warning", "WARNING", (20, 60), 1, |_, beside: &Beside| beside.warning.clone()),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Beside {
    fn last_tool(&self) -> Cell {
        Cell::maybe(self.latest.as_ref().and_then(|latest| latest.last_tool.as_deref()))
    }
}

impl Session {
    /// Where it stands in a word, and how that is meant: whether somebody is there; of an ended one, how it ended.
    pub fn state_cell(&self) -> Cell {
        match self.state {
            State::Active => Cell::text(self.state).toned(Tone::Good),
            State::Idle => Cell::text(self.state),
            State::Ended => Cell::text(self.status).toned(Tone::Dim),
        }
    }

    /// The program and its version.
    pub fn client(&self) -> String {
        program(&self.client_type, self.client_version.as_deref())
    }

    /// `legacy` or `modern`; unknown where no revision was agreed on.
    pub fn era(&self) -> Option<&'static str> {
        let revision = self.protocol_version.as_deref()?;
        Some(if is_modern(revision) { "modern" } else { "legacy" })
    }

    /// Tokens of arguments and results.
    pub fn tokens(&self) -> i64 {
        self.prompt_tokens + self.completion_tokens
    }

    fn calls_cell(&self) -> Cell {
        if self.called_tools { Cell::count(self.calls) } else { Cell::text("none yet").toned(Tone::Dim) }
    }

    /// `server, timeout`.
    fn ended(&self) -> Option<String> {
        let reason = self.disconnect_reason.as_ref()?;
        Some(self.ended_by.as_ref().map_or_else(|| reason.to_string(), |by| format!("{by}, {reason}")))
    }

    /// How long it has lasted; the list may be older than that moment.
    fn age(&self, now: Timestamp) -> Duration {
        let lasted = Duration::from_secs(self.duration_s);
        if self.state == State::Ended { lasted } else { lasted.max(now.since(self.connected_at)) }
    }

    fn idle_cell(&self, now: Timestamp) -> Cell {
        if self.state == State::Ended { Cell::default() } else { Cell::span(now.since(self.last_activity)) }
    }

    fn left_cell(&self, beside: &Beside) -> Cell {
        let end = self.expires_at.filter(|_| self.state != State::Ended);
        end.map_or_else(Cell::default, |end| {
            Cell::span(end.since(beside.now)).toned(if beside.near_end { Tone::Warn } else { Tone::Plain })
        })
    }
}

/// A program and its version.
pub fn program(client_type: &str, version: Option<&str>) -> String {
    version.map_or_else(|| client_type.to_owned(), |version| format!("{client_type} {version}"))
}

/// A status, and how it is meant.
pub(super) fn status_cell(status: SessionStatus) -> Cell {
    Cell::text(status).toned(if status == SessionStatus::Active { Tone::Good } else { Tone::Dim })
}
