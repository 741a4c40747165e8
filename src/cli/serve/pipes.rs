//! `serve --stdio`: the server of one client, on standard input and output, as desktop clients start it.
//!
//! One SQLite file has one server. Whoever comes second passes its client's messages on to the first, by that one's port or
//! socket, and takes the file over when the first has ended. The client's session is the same all the while.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::command::Options;
use crate::accounting::prices::PriceTable;
use crate::accounting::tokens::TokenCounter;
use crate::cli::exit::{DONE, Usage};
use crate::cli::paths;
use crate::cli::signal::Signals;
use crate::client::{ClientOptions, Relay, Token};
use crate::mcp::Engine;
use crate::model::clock::Clock;
use crate::model::private;
use crate::server::{App, HostRules, Limits, Listener, Principals, Shutdown};
use crate::session::{Deployment, Policy, Sessions};
use crate::stdio::{Ended, Pipes};
use crate::store::boots::Listening;
use crate::store::{Broken, Location, OpenError, OpenOptions, Role, Store};

/// How a boot names the socket of such a server.
pub(super) const UNIX: &str = "unix:";
/// What such a server has instead of an address.
const PIPES: &str = "stdio";
/// The token for a server that asks for one.
const TOKEN: &str = "ARCHONCTL_TOKEN";
/// How long a server with a port is waited for when it is gone: it may be starting again.
const RESTART: Duration = Duration::from_secs(10);
/// How often it is looked for, and how often a file whose server has just ended is tried.
const PAUSE: Duration = Duration::from_millis(200);

/// Who serves the client.
enum Server {
    /// We do.
    Own(Store),
    /// Another process does.
    Other(Listening),
}

/// Serves the client on standard input and output until it closes them.
///
/// # Errors
/// When it cannot begin, or the writer of the database broke.
pub(super) async fn run(options: &Options, signals: &Signals) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let (stopping, following) = (stop.clone(), signals.stopped(None));
    tokio::spawn(async move {
        following.await;
        stopping.cancel();
    });
    let opening = options.open_options()?;
    let mut pipes = Pipes::new(tokio::io::stdin(), tokio::io::stdout());
    let mut former = None;
    loop {
        let found = tokio::select! {
            biased;
            () = stop.cancelled(), if former.is_some() => break,
            found = found(&opening, former.clone()) => found?,
        };
        match found {
            Server::Own(store) => {
                own(options, store, &mut pipes, (&stop, signals)).await?;
                break;
            }
            Server::Other(other) => {
                tracing::info!("another server has the database: messages are passed on to it ({})", other.place);
                let relay = Arc::new(relay(&other.place)?);
                if pipes.pass_on(&relay, || other.is_gone(), &stop).await? == Ended::Served {
                    break;
                }
                tracing::info!("that server is gone");
                former = Some(other.place);
            }
        }
    }
    pipes.close().await;
    Ok(ExitCode::from(DONE))
}

/// Opens the database, or finds who has it. A server with a port that was there a moment ago may be starting again. Where
/// it is stands in the database: somebody else may answer at its former address by now, and would be told our session and
/// our token.
async fn found(opening: &OpenOptions, former: Option<String>) -> anyhow::Result<Server> {
    let began = Instant::now();
    let restarts = former.as_ref().is_some_and(|place| !place.starts_with(UNIX));
    loop {
        let is_waiting = began.elapsed() < RESTART;
        if restarts && is_waiting {
            match listening(opening).await {
                Some(other) if is_listening(&other.place).await => return Ok(Server::Other(other)),
                _ => tokio::time::sleep(PAUSE).await,
            }
            continue;
        }
        match Store::open(opening).await {
            Ok(store) => return Ok(Server::Own(store)),
            Err(error @ OpenError::InUse { .. }) => match listening(opening).await {
                Some(other) if former.as_ref() != Some(&other.place) || is_listening(&other.place).await => {
                    return Ok(Server::Other(other));
                }
                // It is ending, or has not said yet where it is.
                _ if is_waiting => tokio::time::sleep(PAUSE).await,
                _ => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
}

/// Who has the file, where that is the server of a client's pipes: no port of ours can serve that client.
pub(super) async fn named(opening: &OpenOptions, error: OpenError) -> anyhow::Error {
    match listening(opening).await {
        Some(other) if other.place.starts_with(UNIX) => Usage::new(
            format!("{error}; it is a `serve --stdio`, started by a client"),
            "start this server first: then later `serve --stdio` pass their clients on to it; or close that client",
        )
        .into(),
        _ => error.into(),
    }
}

/// Whether a server answers at that place.
async fn is_listening(place: &str) -> bool {
    match place.strip_prefix(UNIX) {
        Some(path) => tokio::net::UnixStream::connect(path).await.is_ok(),
        None => tokio::net::TcpStream::connect(place).await.is_ok(),
    }
}

/// Where the server listens that has the file.
async fn listening(opening: &OpenOptions) -> Option<Listening> {
    let store = Store::open(&OpenOptions { role: Role::Reader, ..opening.clone() }).await.ok()?;
    let listening = store.listening().await.ok().flatten();
    // Whoever only reads has nothing to finish.
    _ = store.close().await;
    listening
}

fn relay(place: &str) -> anyhow::Result<Relay> {
    let mut options = match place.strip_prefix(UNIX) {
        Some(path) => ClientOptions::on_socket(PathBuf::from(path))?,
        None => ClientOptions::new(&format!(
            "http://{}/mcp",
            place.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
        ))?,
    };
    if let Ok(token) = std::env::var(TOKEN) {
        options.token = Some(Token::parse(&token)?);
    }
    Ok(Relay::new(&options)?)
}

/// Serves the client by a store of our own, and others who come later by a socket.
async fn own(
    options: &Options,
    store: Store,
    pipes: &mut Pipes,
    (stop, signals): (&CancellationToken, &Signals),
) -> anyhow::Result<()> {
    let prices = options.prices()?;
    let served = serve(options, store.clone(), pipes, (prices, stop, signals)).await;
    // Without its writer it ends as by a crash: nothing that still runs is to be trusted.
    if !served.as_ref().is_err_and(anyhow::Error::is::<Broken>)
        && let Err(error) = store.close().await
    {
        tracing::warn!(%error, "the database was not closed cleanly; every row that was acknowledged is stored");
    }
    served
}

async fn serve(
    options: &Options,
    store: Store,
    pipes: &mut Pipes,
    (prices, stop, signals): (Option<PriceTable>, &CancellationToken, &Signals),
) -> anyhow::Result<()> {
    let socket = Socket::for_others(store.location()).await.unwrap_or_else(|error| {
        tracing::warn!("{error:#}: a later `serve --stdio` on this database is refused until this one ends");
        None
    });
    let tokens = TokenCounter::new(options.calls.tokens);
    let listen = socket.as_ref().map(|socket| format!("{UNIX}{}", socket.path.display()));
    let policy = options.policy(tokens.as_str(), listen);
    let deployment = Deployment { name: options.server_name(PIPES), ..policy.deployment };
    let policy = Policy { on_tick: None, deployment, ..policy };
    let sessions = Sessions::begin(store, Clock::default(), policy).await?;
    let engine = options.engine(&sessions, tokens, prices);
    tracing::info!(database = %sessions.store().location().shown(), "serving on standard input and output");
    let closing = CancellationToken::new();
    let grace = options.running.grace;
    let others = socket.map(|socket| tokio::spawn(socket.serve(engine.clone(), closing.clone(), grace)));
    let outcome = tokio::select! {
        served = pipes.serve(&engine, stop, grace) => served.map(|_| ()).context("standard input cannot be read"),
        broken = sessions.broken() => return Err(broken.into()),
    };
    engine.begin_draining();
    closing.cancel();
    if let Some(others) = others {
        _ = others.await;
    }
    sessions.stop(options.running.grace, signals.cause()).await;
    outcome
}

/// The socket by which later ones of the same user reach us.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// None where a database serves many servers, or is in memory.
    async fn for_others(location: &Location) -> anyhow::Result<Option<Self>> {
        if !matches!(location, Location::SqliteFile(_)) {
            return Ok(None);
        }
        let folder = paths::state_folder()?.join("sockets");
        private::make_folder(&folder).with_context(|| unusable(&folder))?;
        tidy(&folder).await;
        // Containers may share the folder, and have the same numbers of processes.
        let path = folder.join(format!("{}.sock", Uuid::new_v4().simple()));
        let listener = UnixListener::bind(&path).with_context(|| unusable(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).with_context(|| unusable(&path))?;
        Ok(Some(Self { listener, path }))
    }

    /// Serves until `closing` fires.
    async fn serve(self, engine: Arc<Engine>, closing: CancellationToken, grace: Duration) {
        let app = App::new(engine, HostRules::default(), Principals::everybody(), Limits::default());
        let shutdown = Shutdown { drain_delay: Duration::ZERO, grace };
        crate::server::run(app, Listener::Unix(self.listener), closing.cancelled_owned(), shutdown).await;
        _ = fs::remove_file(&self.path);
    }
}

/// Removes the sockets of servers that were killed.
async fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let refused = tokio::net::UnixStream::connect(&path).await.err();
        if refused.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            // Somebody else may have been faster.
            _ = fs::remove_file(&path);
        }
    }
}

fn unusable(path: &Path) -> String {
    format!("no socket for others can be made at {}", path.display())
}
