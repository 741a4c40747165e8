//! What scenarios are run against: a server of our own, a running one, or one that a command starts.

mod error;
mod facts;
mod probe;
mod process;
mod server;
pub(in crate::selftest) mod stage;

use std::ffi::OsString;

use crate::client::ClientOptions;
use crate::selftest::script::Scenario;
use crate::selftest::script::format::{DatabaseKind, Era};
use crate::store::Location;

pub use error::TargetError;
pub use facts::Facts;
pub(in crate::selftest) use stage::Stage;

/// What scenarios are run against.
#[derive(Debug, Clone)]
pub enum Target {
    /// Servers of our own, one for each scenario.
    Own {
        /// This very program; arguments may follow.
        program: Vec<OsString>,
        /// A PostgreSQL database in which to make temporary schemas; without it a temporary SQLite file.
        database: Option<Location>,
    },
    /// A server that runs already.
    Url {
        /// Where it is, and the token it wants.
        options: Box<ClientOptions>,
        /// Its database, to look into.
        database: Option<Location>,
    },
    /// A server that is started by a command, one for each scenario.
    Command {
        /// Program and arguments; `{port}` is the port.
        words: Vec<String>,
        /// Where it can be reached then; `{port}` is the port.
        url: String,
        /// The token it wants.
        token: Option<crate::client::Token>,
    },
}

impl Target {
    /// A target that a command starts, at a URL in which `{port}` stands for the port.
    ///
    /// # Errors
    /// [`TargetError`] when either cannot be read.
    pub fn command(line: &str, url: Option<&str>, token: Option<crate::client::Token>) -> Result<Self, TargetError> {
        let words = shlex::split(line).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| TargetError::Command(format!("{line:?} is not a command")))?;
        let url = url.unwrap_or("http://127.0.0.1:{port}/mcp").to_owned();
        ClientOptions::new(&url.replace("{port}", "1"))?;
        Ok(Self::Command { words, url, token })
    }

    /// How many scenarios may run at the same time, at most.
    pub fn most_jobs(&self) -> usize {
        match self {
            Self::Command { url, .. } if !url.contains("{port}") => 1,
            _ => usize::MAX,
        }
    }

    /// Which kind of database it has, where we can look into it.
    fn database(&self) -> Option<DatabaseKind> {
        let location = match self {
            Self::Own { database: None, .. } => return Some(DatabaseKind::Sqlite),
            Self::Own { database, .. } | Self::Url { database, .. } => database.as_ref()?,
            Self::Command { .. } => return None,
        };
        Some(if matches!(location, Location::Postgres(_)) { DatabaseKind::Postgres } else { DatabaseKind::Sqlite })
    }

    /// Why a scenario says nothing about this target, if that is so.
    pub fn not_applicable(&self, scenario: &Scenario, facts: &Facts) -> Option<String> {
        let needs = &scenario.needs;
        let own = matches!(self, Self::Own { .. });
        if needs.era == Era::Modern {
            return Some("it is of the modern era, without sessions, which selftest does not speak yet".to_owned());
        }
        if needs.own_server && !own {
            return Some("it needs a server that selftest starts from this program".to_owned());
        }
        if needs.restart && matches!(self, Self::Url { .. }) {
            return Some("it needs a server that it may end and start again, as with --server-cmd".to_owned());
        }
        if needs.archonctl && !facts.is_archonctl {
            return Some(format!("it is about archonctl; this server is {}", facts.server));
        }
        if needs.sessions && !facts.has_sessions {
            return Some(format!("{} issues no session ids", facts.server));
        }
        if needs.store && self.database().is_none() {
            return Some("it needs the server's database".to_owned());
        }
        if let Some(kind) = needs.database
            && self.database() != Some(kind)
        {
            let name = if kind == DatabaseKind::Postgres { "PostgreSQL" } else { "SQLite" };
            return Some(format!("it needs {name}; --database-url names one"));
        }
        let revision = needs.revision.as_deref()?;
        let agreed = facts.agreed.get(revision)?;
        (agreed != revision).then(|| format!("the server does not speak {revision}: it answers with {agreed}"))
    }
}
