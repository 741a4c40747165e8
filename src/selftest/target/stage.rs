//! Where one scenario is played: its servers, its database, its connections. Opened for it, and gone after it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::server::{Launch, Server};
use super::{Target, TargetError};
use crate::client::{ClientOptions, RawClient};
use crate::model::secret::Secrets;
use crate::selftest::script::Scenario;
use crate::store::{Location, OpenOptions, Role, Scratch, Store};

/// The longest body of an answer that is read: a server that says more than this says too much.
const MAX_ANSWER: usize = 8 << 20;

/// The servers of one scenario, and what leads to them.
#[derive(Debug)]
pub(in crate::selftest) struct Stage {
    /// The MCP endpoints.
    pub(in crate::selftest) urls: Vec<String>,
    /// Connections.
    pub(in crate::selftest) http: RawClient,
    /// The bearer token of requests that name none, as a header's value.
    pub(in crate::selftest) authorization: Option<String>,
    /// What must not be shown.
    pub(in crate::selftest) secrets: Secrets,
    /// Servers that may be ended and started again. `None` where a server is not ours to end.
    servers: Mutex<Vec<Server>>,
    store: Option<Store>,
    next_id: AtomicU64,
    /// Held for its drop.
    _folder: Option<TempDir>,
}

/// A temporary schema, where the target needs one: made before a stage and removed after it.
pub(in crate::selftest) async fn scratch(target: &Target) -> Result<Option<Scratch>, TargetError> {
    match target {
        Target::Own { database: Some(Location::Postgres(url)), .. } => Ok(Some(Scratch::make(url).await?)),
        _ => Ok(None),
    }
}

impl Stage {
    /// Starts what the scenario needs.
    pub(in crate::selftest) async fn open(
        target: &Target,
        scenario: &Scenario,
        scratch: Option<&Scratch>,
    ) -> Result<Self, TargetError> {
        match target {
            Target::Own { program, .. } => Self::own(program, scenario, scratch).await,
            Target::Url { options, database } => {
                let mut stage = Self::at(options, Vec::new())?;
                if let Some(location) = database.as_ref().filter(|_| scenario.needs.store) {
                    stage.store = Some(open_store(location.clone()).await?);
                }
                Ok(stage)
            }
            Target::Command { .. } => {
                let (server, options) = start_command(target).await?;
                Self::at(&options, vec![server])
            }
        }
    }

    fn at(options: &ClientOptions, servers: Vec<Server>) -> Result<Self, TargetError> {
        let authorization = options.authorization();
        Ok(Self {
            urls: vec![options.secret_url().to_owned()],
            http: RawClient::new(options, MAX_ANSWER)?,
            authorization,
            secrets: options.secrets(),
            servers: Mutex::new(servers),
            store: None,
            next_id: AtomicU64::new(1),
            _folder: None,
        })
    }

    async fn own(
        program: &[std::ffi::OsString],
        scenario: &Scenario,
        scratch: Option<&Scratch>,
    ) -> Result<Self, TargetError> {
        let unwritable = |e: std::io::Error| TargetError::Server(format!("there is no temporary folder: {e}"));
        let folder = tempfile::Builder::new().prefix("archonctl-selftest-").tempdir().map_err(unwritable)?;
        let file = folder.path().join("archon.db");
        let database = scratch.map_or_else(|| format!("sqlite://{}", file.display()), Scratch::url);
        let mut args = scenario.server.args.clone();
        if !scenario.server.tokens.is_empty() {
            let tokens = folder.path().join("tokens");
            std::fs::write(&tokens, token_lines(&scenario.server.tokens)).map_err(unwritable)?;
            args.extend(["--token-file".to_owned(), tokens.display().to_string()]);
        }
        let launch =
            Launch::Own { program: program.to_vec(), home: folder.path().to_owned(), database: database.clone(), args };
        let mut servers = Vec::new();
        for _ in 0..scenario.server.servers() {
            servers.push(Server::start(launch.clone(), any_port()).await?);
        }
        let urls: Vec<_> = servers.iter().map(|server| format!("http://{}/mcp", server.address())).collect();
        let options = ClientOptions::new(&urls[0])?;
        let store = if scenario.needs.store { Some(open_store(Location::parse(&database)?).await?) } else { None };
        Ok(Self { urls, store, _folder: Some(folder), ..Self::at(&options, servers)? })
    }

    /// The server of that number, to end it, start it, move its clock or read its log.
    pub(in crate::selftest) async fn server(
        &self,
        number: usize,
    ) -> Result<tokio::sync::MappedMutexGuard<'_, Server>, TargetError> {
        let servers = self.servers.lock().await;
        tokio::sync::MutexGuard::try_map(servers, |servers| servers.get_mut(number))
            .map_err(|_| TargetError::Server("selftest did not start this server".to_owned()))
    }

    /// The database.
    pub(in crate::selftest) fn store(&self) -> Result<&Store, TargetError> {
        self.store.as_ref().ok_or_else(|| TargetError::Server("there is no database to look into".to_owned()))
    }

    /// An id that no request of this scenario has had.
    pub(in crate::selftest) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The last lines of the servers' logs.
    pub(in crate::selftest) async fn log_tail(&self, lines: usize) -> Vec<String> {
        self.servers.lock().await.iter().flat_map(|server| server.log().tail(lines)).collect()
    }
}

/// Starts the server of a command, and waits until it can be reached.
pub(super) async fn start_command(target: &Target) -> Result<(Server, ClientOptions), TargetError> {
    let Target::Command { words, url, token } = target else {
        return Err(TargetError::Command("no command is given".to_owned()));
    };
    let address = if url.contains("{port}") {
        any_port()
    } else {
        let options = ClientOptions::new(url)?;
        options.loopback_address().ok_or_else(|| {
            TargetError::Command(format!("{} is not an address of this machine with a port", options.place()))
        })?
    };
    let server = Server::start(Launch::Foreign { words: words.clone() }, address).await?;
    let mut options = ClientOptions::new(&url.replace("{port}", &server.address().port().to_string()))?;
    options.token.clone_from(token);
    Ok((server, options))
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn open_store(location: Location) -> Result<Store, TargetError> {
    Ok(Store::open(&OpenOptions { location, role: Role::Operator, sync_full: false }).await?)
}

/// A token file in which each principal's token is its name.
fn token_lines(principals: &[String]) -> String {
    let mut lines = String::new();
    for name in principals {
        for byte in Sha256::digest(name.as_bytes()) {
            // A text takes whatever is written to it.
            _ = write!(lines, "{byte:02x}");
        }
        lines.extend([" ", name, "\n"]);
    }
    lines
}
