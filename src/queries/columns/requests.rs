//! Columns of handled requests.

use super::{Cell, Column, Head, Listed, Tone, Value, members};
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::requests::Request;

impl Listed for Request {
    type Context = Timestamp;

    const LIST: &'static str = "requests";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("time", "TIME", 19, 0, |r, _| r.timestamp.map_or_else(Cell::default, |at| Value::When(at).into())),
        Column::text("session", "SESSION", 9, 2, |r, _| Cell::maybe_id(r.session())),
        Column::text("client", "CLIENT", 8, 5, |r, _| Cell::maybe(r.client_type.as_deref())),
        Column::text("method", "METHOD", 10, 4, |r, _| Cell::maybe(r.method.as_deref())),
        Column::text("tool", "TOOL", 8, 0, |r, _| Cell::maybe(r.tool_name.as_deref())),
        Column::text("state", "STATUS", 7, 0, |r, _| r.status_cell()),
        Column { head: Head { least: 6, ..Head::figure("ms", "TOOK", 1) }, cell: |r, _| Cell::millis(r.duration_ms) },
        Column::figure("tokens", "TOKENS", 6, |r, _| r.tokens().map_or_else(Cell::default, Cell::count)),
        Column::text("error", "ERROR", 10, 3, |r, _| Cell::maybe(r.error().or(r.late.then_some(LATE)))),
    ];

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("time", "TIME", (8, 8), 0, |r, _| {
            r.timestamp.map_or_else(Cell::default, |at| Value::Time(at).into())
        }),
        Column::within("session", "SESSION", (8, 8), 3, |r, _| Cell::maybe_id(r.session())),
        Column::within("client", "CLIENT", (6, 20), 4, |r, _| Cell::maybe(r.client_type.as_deref())),
        Column::within("user", "USER", (4, 16), 6, |r, _| Cell::maybe(r.user_name.as_deref())),
        Column::within("tool", "TOOL", (14, 24), 0, |r, _| r.called()),
        Column::within("state", "STATUS", (7, 7), 1, |r, _| r.status_cell()),
        Column::figure("ms", "TOOK", 2, |r, _| Cell::millis(r.duration_ms)),
        Column::figure("tokens", "TOKENS", 5, |r, _| {
            r.tokens().filter(|n| *n > 0).map_or_else(Cell::default, Cell::count)
        }),
        Column::figure("cost", "USD", 7, |r, _| {
            r.estimated_cost_usd.map_or_else(Cell::default, |usd| Value::Dollars(usd).into())
        }),
        Column::within("error", "ERROR", (20, 200), 2, |r, _| r.error_cell()),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

/// What there is to say of a request that went well but came to its end after its session.
const LATE: &str = "its session had ended";

impl Request {
    /// Whose it is: the connection's id, or the Archon session's.
    pub fn session(&self) -> Option<&str> {
        self.protocol_session_id.as_deref().or(self.session_id.as_deref())
    }

    /// How it went, and how that is meant.
    pub fn status_cell(&self) -> Cell {
        Cell::maybe(self.status.as_ref().map(Word::as_str)).toned(self.tone())
    }

    fn tone(&self) -> Tone {
        let good = self.status.as_ref().is_some_and(|status| status.is(RequestStatus::Success));
        if good { Tone::Good } else { Tone::Bad }
    }

    /// Tokens of arguments and results.
    fn tokens(&self) -> Option<i64> {
        self.prompt_tokens.zip(self.completion_tokens).map(|(prompt, completion)| prompt + completion)
    }

    fn error(&self) -> Option<&str> {
        self.error_message.as_deref()
    }

    /// The tool, or else the method.
    fn called(&self) -> Cell {
        match (&self.tool_name, &self.method) {
            (Some(tool), _) => Cell::text(tool),
            (None, method) => Cell::maybe(method.as_deref()).toned(Tone::Dim),
        }
    }

    fn error_cell(&self) -> Cell {
        let late = || self.late.then(|| format!("late: {LATE}"));
        Cell::maybe(self.error_message.clone().or_else(late)).toned(Tone::Warn)
    }
}
