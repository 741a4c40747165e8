//! A scenario as it stands in its file: what it is called, what it needs, what it does.

use schemars::JsonSchema;
use serde::Deserialize;

use super::step::Step;
use super::value::Time;

/// One promise, and the steps that show whether a server keeps it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The promise, as a sentence.
    pub name: String,
    /// What is done, why it matters, and what it means when it fails.
    #[serde(default)]
    pub description: String,
    /// Words to choose scenarios by (`--tag`).
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the server must be; elsewhere the scenario is not applicable.
    #[serde(default)]
    pub needs: Needs,
    /// How our own server is started for it.
    #[serde(default)]
    pub server: ServerSetup,
    /// The longest that it may take [default: 30s].
    pub timeout: Option<Time>,
    /// What is done, in this order. The first step that fails ends the scenario.
    pub step: Vec<Step>,
}

/// What a scenario needs of the server that it is run against.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "a list of needs: each stands for itself")]
pub struct Needs {
    /// A server that selftest starts from this very program, with nobody else on it.
    pub own_server: bool,
    /// A server that selftest may end and start again: its own, or that of `--server-cmd`.
    pub restart: bool,
    /// An archonctl server: its headers, hints and `/health`.
    pub archonctl: bool,
    /// Its database, for `sql` and `expire`.
    pub store: bool,
    /// A server that issues session ids.
    pub sessions: bool,
    /// The kind of database.
    pub database: Option<DatabaseKind>,
    /// The era of MCP.
    pub era: Era,
    /// The revision of MCP that it must agree on, and that `initialize` asks for [default: 2025-11-25, but any will do].
    pub revision: Option<String>,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// An era of MCP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// Up to 2025-11-25, with `initialize`.
    #[default]
    Legacy,
    /// From 2026-07-28 on, without sessions.
    Modern,
}

/// How our own server is started. A scenario that sets any of this needs `own_server`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSetup {
    /// More arguments of `archonctl serve`.
    pub args: Vec<String>,
    /// Principals, each with its own name as its token; without them nobody is asked for one.
    pub tokens: Vec<String>,
    /// How many servers share the database [default: 1]. On SQLite there can only be one.
    #[schemars(range(min = 1, max = 8))]
    pub count: Option<u8>,
}

impl ServerSetup {
    /// How many servers are started.
    pub fn servers(&self) -> usize {
        usize::from(self.count.unwrap_or(1).clamp(1, 8))
    }

    /// Whether anything is out of the ordinary.
    pub(super) fn is_special(&self) -> bool {
        !self.args.is_empty() || !self.tokens.is_empty() || self.servers() > 1
    }
}
