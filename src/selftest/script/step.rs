//! One step: exactly one thing to do, on which session and server, what to expect, and what to remember.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::expect::Expect;
use super::value::{Pattern, Time};

/// One step. It names exactly one thing to do (`initialize`, `call`, …), or groups the steps under `do`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// What it does and why, for the report.
    pub name: Option<String>,
    /// Open a session: `initialize`, then `notifications/initialized`.
    pub initialize: Option<Initialize>,
    /// Send a request: any method of MCP, a tool, or raw HTTP.
    pub call: Option<Call>,
    /// Send a notification.
    pub notify: Option<Notify>,
    /// End the session by DELETE.
    pub delete: Option<Delete>,
    /// Repeat the steps under `do` until all of them pass, at most for this long.
    pub wait: Option<Time>,
    /// End the server and start it again, at the same address and on the same database.
    pub restart: Option<Restart>,
    /// Read from the server's database.
    pub sql: Option<Sql>,
    /// Look for a line in our own server's log.
    pub log: Option<Log>,
    /// Take the steps under `do` at the same time.
    pub parallel: Option<Parallel>,
    /// Take the steps under `do` again and again.
    pub repeat: Option<Repeat>,
    /// End a session as an operator does, past the server.
    pub expire: Option<Expire>,
    /// Move our own server's clock forward.
    pub advance: Option<Time>,

    /// The name of the session that it goes on [default: main]. A raw HTTP request goes on none unless this is given.
    pub session: Option<String>,
    /// Which server, where there are several; 0 is the first.
    pub server: usize,
    /// More headers of the request; one of the standing ones (`content-type`, `accept`, `host`, the session's) is replaced.
    pub headers: BTreeMap<String, String>,
    /// The longest that it may take [default: 10s].
    pub timeout: Option<Time>,
    /// What its answer must look like.
    pub expect: Expect,
    /// What to remember of its answer: a name, and where it stands (`/json/pointer`, `header:NAME`, `status`, `body`).
    pub save: BTreeMap<String, String>,
    /// The steps of `wait`, `parallel`, `repeat` and `restart` (those are taken while the server is down), or a group.
    #[serde(rename = "do")]
    pub steps: Vec<Step>,
}

/// `initialize`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Initialize {
    /// The revision to ask for [default: what the scenario needs, else 2025-11-25].
    pub revision: Option<String>,
    /// The client's name [default: archonctl-selftest].
    pub client: Option<String>,
    /// The client's version.
    pub version: Option<String>,
    /// The bearer token of this session and its requests.
    pub token: Option<String>,
    /// Whether `notifications/initialized` follows [default: true].
    pub initialized: Option<bool>,
}

/// A request: `method` of MCP, or `tool`, or raw HTTP by `http`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Call {
    /// A method of MCP, such as `tools/list`.
    pub method: Option<String>,
    /// Its parameters.
    pub params: Option<Map<String, Value>>,
    /// The request's id [default: a new number].
    pub id: Option<Value>,
    /// A tool to call.
    pub tool: Option<String>,
    /// The tool's arguments.
    pub arguments: Option<Map<String, Value>>,
    /// An HTTP method: the request is then sent as it stands here.
    pub http: Option<String>,
    /// The path, with `http` [default: that of the MCP endpoint].
    pub path: Option<String>,
    /// The body, with `http`: a text as it stands, anything else as JSON.
    pub body: Option<Value>,
    /// The bearer token [default: the session's].
    pub token: Option<String>,
}

/// A notification.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Its method.
    pub method: String,
    /// Its parameters.
    pub params: Option<Map<String, Value>>,
}

/// DELETE; it has nothing to say.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {}

/// How a server ends before it is started again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restart {
    /// The signal that ends it [default: SIGKILL].
    pub signal: Signal,
    /// Arguments of `serve` from now on, in place of the scenario's.
    pub args: Option<Vec<String>>,
}

/// A signal that ends a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Signal {
    /// As a crash does.
    #[default]
    #[serde(rename = "SIGKILL")]
    Kill,
    /// As `systemctl stop` does.
    #[serde(rename = "SIGTERM")]
    Terminate,
}

/// One read-only query. `${…}` in it becomes a quoted SQL text.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sql {
    /// For both databases.
    pub query: Option<String>,
    /// For SQLite, where the text differs.
    pub sqlite: Option<String>,
    /// For PostgreSQL, where the text differs.
    pub postgres: Option<String>,
}

/// A line of the log since the scenario began.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The line; waited for until the step's time is over.
    pub matches: Pattern,
    /// Whether there must be none; this is not waited for.
    #[serde(default)]
    pub absent: bool,
}

/// Steps at the same time.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parallel {
    /// The number of branches, each of which takes all the steps; without it each step is a branch of its own.
    #[schemars(range(min = 1, max = 1000))]
    pub times: Option<usize>,
    /// The variable with the branch's number, from 0 [default: index].
    pub index: Option<String>,
}

/// Steps one after the other, again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    #[schemars(range(min = 1, max = 10_000))]
    pub times: usize,
    /// The variable with the round's number, from 0 [default: index].
    pub index: Option<String>,
}

/// Whose end: the step's session, by both of its ids.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expire {
    /// The Archon session to end [default: that of the step's session].
    pub id: Option<String>,
}

/// The name of a step's kind, for messages.
pub(super) const KINDS: [&str; 12] = [
    "initialize",
    "call",
    "notify",
    "delete",
    "wait",
    "restart",
    "sql",
    "log",
    "parallel",
    "repeat",
    "expire",
    "advance",
];

impl Step {
    /// The kinds that it names; right is exactly one, or none with steps under `do`.
    pub fn kinds(&self) -> Vec<&'static str> {
        let given = [
            self.initialize.is_some(),
            self.call.is_some(),
            self.notify.is_some(),
            self.delete.is_some(),
            self.wait.is_some(),
            self.restart.is_some(),
            self.sql.is_some(),
            self.log.is_some(),
            self.parallel.is_some(),
            self.repeat.is_some(),
            self.expire.is_some(),
            self.advance.is_some(),
        ];
        KINDS.into_iter().zip(given).filter(|(_, given)| *given).map(|(kind, _)| kind).collect()
    }

    /// What it does, in a few words: its name, or its kind.
    pub fn title(&self) -> String {
        let kind = self.kinds().first().copied().unwrap_or("group");
        let what = match (&self.name, &self.call) {
            (Some(name), _) => Some(name.as_str()),
            (None, Some(call)) => call.tool.as_deref().or(call.method.as_deref()).or(call.http.as_deref()),
            (None, None) => None,
        };
        what.map_or_else(|| kind.to_owned(), |what| format!("{kind}: {what}"))
    }
}
