//! Columns of statistics: groups of calls in a command's table, tools in the dashboard.

use super::{Cell, Column, Listed, Tone, Value, members};
use crate::model::timestamp::Timestamp;
use crate::queries::usage::{Group, Usage};

/// What a group of calls stands among.
#[derive(Debug, Clone)]
pub struct Within {
    /// What calls are grouped by.
    pub by: Group,
    /// It is the sum of all groups.
    pub is_total: bool,
    /// The calls of all groups.
    pub calls: i64,
    /// How many calls there were in each hour, drawn.
    pub trend: String,
    /// Its slowest call, where that is known.
    pub slowest: Option<Slowest>,
}

/// The slowest call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Slowest {
    /// Its id.
    pub id: String,
    /// How long it took.
    pub ms: Option<f64>,
}

impl Within {
    /// Groups of that kind.
    pub const fn of(by: Group) -> Self {
        Self { by, is_total: false, calls: 0, trend: String::new(), slowest: None }
    }
}

impl From<Timestamp> for Within {
    fn from(_: Timestamp) -> Self {
        Self::of(Group::Tool)
    }
}

impl Listed for Usage {
    type Context = Within;

    const LIST: &'static str = "groups";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("name", "NAME", 9, 0, name),
        Column::figure("calls", "CALLS", 0, |u, _| Cell::count(u.calls)),
        Column::figure("errors", "ERRORS", 1, |u, _| Cell::faults(u.errors)),
        Column::figure("timeouts", "TIMEOUTS", 6, |u, _| u.timeouts.map_or_else(Cell::default, Cell::faults)),
        Column::figure("mean", "MEAN", 5, |u, _| Cell::millis(u.mean_ms)),
        Column::figure("p50", "P50", 2, |u, _| Cell::millis(u.p50_ms)),
        Column::figure("p95", "P95", 3, |u, _| Cell::millis(u.p95_ms)),
        Column::figure("p99", "P99", 4, |u, _| Cell::millis(u.p99_ms)),
        Column::figure("tokens_in", "TOKENS IN", 7, |u, _| Cell::count(u.prompt_tokens)),
        Column::figure("tokens_out", "TOKENS OUT", 8, |u, _| Cell::count(u.completion_tokens)),
    ];

    const SCREEN: &'static [Column<Self>] = &[
        Column::within("tool", "TOOL", (16, 40), 0, |u, _| Cell::text(&u.name)),
        Column::figure("calls", "CALLS", 0, |u, _| Cell::count(u.calls)),
        Column::figure("share", "SHARE", 5, |u, within: &Within| Cell::share(u.calls, within.calls)),
        Column::figure("errors", "ERR", 1, |u, _| u.flawed(Cell::count(u.errors))),
        Column::figure("error_rate", "ERR%", 2, |u, _| u.flawed(Cell::share(u.errors, u.calls))),
        Column::figure("timeouts", "TIMEOUTS", 9, |u, _| {
            u.timeouts.filter(|n| *n > 0).map_or_else(Cell::default, Cell::count)
        }),
        Column::figure("p50", "P50", 6, |u, _| Cell::millis(u.p50_ms)),
        Column::figure("p95", "P95", 1, |u, _| Cell::millis(u.p95_ms)),
        Column::figure("p99", "P99", 6, |u, _| Cell::millis(u.p99_ms)),
        Column::figure("mean", "MEAN", 7, |u, _| Cell::millis(u.mean_ms)),
        Column::figure("tokens", "TOKENS", 7, |u, _| Cell::count(u.tokens())),
        Column::within("trend", "24 HOURS", (24, 24), 3, |_, within: &Within| {
            Cell::text(&within.trend).toned(Tone::Good)
        }),
        Column::figure("slowest", "SLOWEST", 3, |_, within: &Within| {
            Cell::millis(within.slowest.as_ref().and_then(|slowest| slowest.ms))
        }),
        Column::within("call", "CALL", (6, 10), 8, |_, within: &Within| {
            Cell::maybe(within.slowest.as_ref().map(|slowest| format!("#{}", slowest.id)))
        }),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Usage {
    /// Tokens of arguments and results.
    pub fn tokens(&self) -> i64 {
        self.prompt_tokens + self.completion_tokens
    }

    /// A cell that tells of calls that failed, if any did.
    fn flawed(&self, cell: Cell) -> Cell {
        if self.errors > 0 { cell.toned(Tone::Warn) } else { cell }
    }
}

/// What a group is of; of an hour or a day no more than it says.
fn name(usage: &Usage, within: &Within) -> Cell {
    if within.is_total {
        return Cell::text("all").toned(Tone::Dim);
    }
    let length = match within.by {
        Group::Day => "2026-01-10".len(),
        Group::Hour => "2026-01-10 12:00".len(),
        Group::Session => {
            return if usage.name.is_empty() { Cell::default() } else { Value::Id(usage.name.clone()).into() };
        }
        Group::Tool | Group::Client | Group::User => return Cell::text(&usage.name),
    };
    let begin = Timestamp::parse_sql(&usage.name).map(Timestamp::sql_text);
    Cell::maybe(begin.as_deref().and_then(|text| text.get(..length)))
}
