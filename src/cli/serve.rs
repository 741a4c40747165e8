//! `archonctl serve`: the server.

mod asked;
mod command;
mod descriptors;
mod keeper;
mod manager;
mod options;
mod pipes;
mod port;
mod renames;
mod size;
mod values;

use std::net::{IpAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::exit::{DONE, Usage};
use super::logging;
use super::signal::{self, Signals};
use crate::accounting::prices::PriceTable;
use crate::accounting::tokens::TokenCounter;
use crate::model::clock::Clock;
use crate::server::{App, Listener, Principals, Shutdown};
use crate::session::Sessions;
use crate::store::{Broken, Location, OpenError, OpenOptions, Role, Scratch, Store};
pub use command::Options;
use keeper::Keeper;
use renames::Renames;

/// What a boot that is told to stop while it is recorded has to end in.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a server has from its first moment on, before its options are read.
#[derive(Debug)]
pub(super) struct Early {
    signals: Signals,
    /// What a service manager listens on for us.
    socket: Option<TcpListener>,
}

impl Early {
    /// The socket that was handed over; to be called before there is any thread.
    ///
    /// # Errors
    /// When it is none that we can serve on.
    pub(super) fn socket() -> Result<Option<TcpListener>, Usage> {
        port::handed_over()
    }

    /// Catches the signals; the caller is within a runtime.
    pub(super) fn new(socket: Option<TcpListener>) -> Self {
        Self { signals: Signals::catch(), socket }
    }
}

impl Options {
    /// Serves until SIGTERM or SIGINT. Asked to stop before it serves, it does not begin to.
    ///
    /// # Errors
    /// When it cannot begin: a wrong option, a database or port that cannot be had. Nothing was changed then. Or when the
    /// writer of the database broke.
    pub(super) async fn run(mut self, early: Early) -> anyhow::Result<ExitCode> {
        logging::start(self.running.log_format);
        signal::outlive_full_files();
        let Early { signals, socket } = early;
        if let Some(keeper) = self.running.kept_by {
            signals.go_with(keeper);
        }
        let socket = if self.running.stdio { None } else { self.given_socket(socket)? };
        self.check_options()?;
        if self.running.stdio {
            return pipes::run(&self, &signals).await;
        }
        if self.running.keep_port && self.running.kept_by.is_none() && !self.running.check {
            let Some(socket) = signals.unless_stopped(self.listen(socket)).await else {
                return Ok(ExitCode::from(DONE));
            };
            return Keeper::new(socket?, &signals, self.running.stop_time())?.run().await;
        }
        let principals = match &self.access.token_file {
            Some(file) => Principals::read(file)?,
            None => Principals::everybody(),
        };
        let renames = Renames::among(&principals, &self.access.rename_principal)?;
        let prices = self.prices()?;
        let options = self.open_options()?;
        if self.running.check {
            return self.check(options).await;
        }
        let Some(store) = signals.unless_stopped(Store::open(&options)).await else {
            tracing::info!("stopped before it served");
            return Ok(ExitCode::from(DONE));
        };
        let store = match store {
            // The server of a process before the one that keeps our port may be ending: it tries again.
            Err(error @ OpenError::InUse { .. }) if self.running.kept_by.is_some() => {
                tracing::warn!("{error}");
                return Ok(ExitCode::from(keeper::IN_USE));
            }
            Err(error @ OpenError::InUse { .. }) => return Err(pipes::named(&options, error).await),
            opened => opened?,
        };
        let served = self.serve(store.clone(), socket, (principals, renames, prices), &signals).await;
        // Without its writer it ends as by a crash: nothing that still runs is to be trusted.
        if !served.as_ref().is_err_and(anyhow::Error::is::<Broken>)
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly; every row that was acknowledged is stored");
        }
        if signals.is_left_alone() {
            self.clear_away(&options.location).await;
        }
        served?;
        tracing::info!("stopped; every session is kept");
        Ok(ExitCode::from(DONE))
    }

    fn check_options(&self) -> anyhow::Result<()> {
        self.refuse_open_door()?;
        self.sessions.check()?;
        self.calls.check()?;
        self.running.check()?;
        if self.running.stdio && !self.access.rename_principal.is_empty() {
            return Err(Usage::new("--rename-principal: a server on pipes has no principals", "leave it out").into());
        }
        Ok(())
    }

    /// Removes what somebody made for this server who cannot do it any more. Another server of it may be faster.
    async fn clear_away(&self, location: &Location) {
        let Some(folder) = &self.running.throw_away else { return };
        if let Some(scratch) = Scratch::of(location) {
            _ = scratch.remove().await;
        }
        _ = std::fs::remove_dir_all(folder);
    }

    async fn serve(
        &self,
        store: Store,
        socket: Option<TcpListener>,
        (principals, renames, prices): (Principals, Renames, Option<PriceTable>),
        signals: &Signals,
    ) -> anyhow::Result<()> {
        // The port is taken before the boot is recorded: a server that cannot listen leaves no trace.
        let listener = self.listen(socket).await?;
        listener.set_nonblocking(true).context("the port cannot be used")?;
        let listener = tokio::net::TcpListener::from_std(listener).context("the port cannot be used")?;
        let clock = Clock::default();
        renames.carry_out(&store, clock.now()).await?;
        let tokens = TokenCounter::new(self.calls.tokens);
        let address = listener.local_addr().context("the port that was taken has no address")?;
        let policy = self.policy(tokens.as_str(), Some(address.to_string()));
        let mut beginning = std::pin::pin!(Sessions::begin(store, clock.clone(), policy));
        let Some(outcome) = signals.unless_stopped(&mut beginning).await else {
            // A boot that is being recorded ends in order, unless the database keeps it waiting: the next start buries it.
            if let Ok(Ok(sessions)) = tokio::time::timeout(LAST_MOMENT, beginning).await {
                sessions.stop(self.running.grace, signals.cause()).await;
            }
            return Ok(());
        };
        let sessions = outcome?;
        let engine = self.engine(&sessions, tokens, prices);
        let app = App::new(engine, self.host_rules(), principals, self.limits(descriptors::connections()));
        asked::follow_hang_ups(self.access.token_file.clone(), &app, &sessions, signals);
        asked::follow_changes(&sessions, signals);
        let stop = signals.stopped(self.running.follows_input().then_some(clock));
        let stop = async move {
            stop.await;
            manager::notify_stopping();
        };
        // The address that was asked for may have had port 0: tests and scripts wait for this line.
        tracing::info!(database = %sessions.store().location().shown(), "listening on http://{address}/mcp");
        manager::notify_ready();
        let shutdown = Shutdown { drain_delay: self.running.drain_delay, grace: self.running.grace };
        tokio::select! {
            () = crate::server::run(app, Listener::Tcp(listener), stop, shutdown) => {}
            broken = sessions.broken() => {
                sessions.break_down(&broken).await;
                return Err(broken.into());
            }
        }
        sessions.stop(self.running.grace, signals.cause()).await;
        Ok(())
    }

    /// The socket that was given to us, by whoever keeps the port or by a service manager. It is what `--bind` would be.
    fn given_socket(&mut self, handed_over: Option<TcpListener>) -> anyhow::Result<Option<TcpListener>> {
        let socket = if self.running.kept_by.is_some() { Some(port::standard_input()?) } else { handed_over };
        if let Some(socket) = &socket {
            self.bind = socket.local_addr().context("the socket that was handed over has no address")?;
            if self.running.kept_by.is_none() {
                tracing::info!("the socket that was handed over is served: {}; --bind is not used", self.bind);
            }
        }
        Ok(socket)
    }

    async fn listen(&self, given: Option<TcpListener>) -> Result<TcpListener, Usage> {
        match given {
            Some(socket) => Ok(socket),
            None if self.running.keep_port => port::bind_in_time(self.bind, self.running.stop_time()).await,
            None => port::bind(self.bind).await,
        }
    }

    /// Whether options, files and database are such that a server can start with them: all is read, nothing is changed, and a
    /// server that is at work now is not disturbed.
    async fn check(&self, options: OpenOptions) -> anyhow::Result<ExitCode> {
        let location = options.location.clone();
        match Store::open(&OpenOptions { role: Role::Reader, ..options }).await {
            // A server at work keeps its log from being emptied, and that is no fault.
            Ok(store) if !store.is_foreign() => _ = store.close().await,
            Ok(_) => return Err(OpenError::Foreign.into()),
            // It is made at the start.
            Err(OpenError::Missing { .. }) => can_be_made(&location)?,
            Err(error) => return Err(error.into()),
        }
        tracing::info!("options, files and database are sound; the port was not tried");
        Ok(ExitCode::from(DONE))
    }

    /// Beyond loopback somebody else can come in: with tokens, or because the operator says so.
    fn refuse_open_door(&self) -> Result<(), Usage> {
        let loopback = match self.bind.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        if loopback || self.access.token_file.is_some() || self.access.insecure {
            return Ok(());
        }
        Err(Usage::new(
            format!("{} is open to other machines, and no tokens are asked for", self.bind),
            "add --token-file FILE, or --insecure if that is meant",
        ))
    }
}

/// Whether there is room for a file at that place, as far as one can see.
fn can_be_made(location: &Location) -> Result<(), OpenError> {
    let Location::SqliteFile(path) = location else { return Ok(()) };
    let unwritable = |reason: &str| OpenError::Unwritable { path: path.clone(), reason: reason.into() };
    if path.is_dir() {
        return Err(unwritable("it is a folder"));
    }
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(unwritable("its parent folder is a file"));
    }
    Ok(())
}
