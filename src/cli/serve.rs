//! `archonctl serve`: the server.

mod options;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::database::Database;
use super::exit::{DONE, Usage};
use super::logging;
use super::signal::{self, Signals};
use crate::mcp::{Engine, Patience, Tracking};
use crate::model::clock::Clock;
use crate::server::{App, HostRules, Limits, Principals, Shutdown};
use crate::session::{Caps, Policy, Sessions};
use crate::store::{Broken, Location, OpenOptions, Role, Store};
use crate::tools::prices::PriceTable;
use crate::tools::tokens::TokenCounter;
use crate::tools::{ToolSet, testing};
use options::{AccessOptions, CallOptions, OnOff, RunOptions, SessionOptions, Sync};

/// What a boot that is told to stop while it is recorded has to end in.
const LAST_MOMENT: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  archonctl serve
  archonctl serve --bind 127.0.0.1:9000 --database-url sqlite://archon.db --session-timeout 8h
  archonctl serve --bind 0.0.0.0:8051 --token-file tokens --allow-host archon.example.org \\
      --database-url postgres://archon@db.example.org/archon

TIME is a number and a unit, such as 250ms, 90s, 5m, 1h30m or 2d.";

/// Serve MCP over HTTP, with sessions that survive a restart
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8051", env = "ARCHONCTL_BIND", value_name = "ADDR:PORT")]
    bind: SocketAddr,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    sessions: SessionOptions,
    #[command(flatten)]
    calls: CallOptions,
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    running: RunOptions,
}

impl Options {
    /// Serves until SIGTERM or SIGINT. Asked to stop before it serves, it does not begin to.
    ///
    /// # Errors
    /// When it cannot begin: a wrong option, a database or port that cannot be had. Nothing was changed then. Or when the
    /// writer of the database broke.
    pub(super) async fn run(self, signals: Signals) -> anyhow::Result<ExitCode> {
        logging::start(self.running.log_format);
        signal::outlive_full_files();
        self.refuse_open_door()?;
        self.sessions.check()?;
        self.calls.check()?;
        let principals = match &self.access.token_file {
            Some(file) => Principals::read(file)?,
            None => Principals::everybody(),
        };
        let prices = self.calls.prices.as_deref().map(price_table).transpose()?;
        let options = self.open_options()?;
        let Some(store) = signals.unless_stopped(Store::open(&options)).await else {
            tracing::info!("stopped before it served");
            return Ok(ExitCode::from(DONE));
        };
        let store = store?;
        let served = self.serve(store.clone(), (principals, prices), &signals).await;
        // Without its writer it ends as by a crash: nothing that still runs is to be trusted.
        if !served.as_ref().is_err_and(anyhow::Error::is::<Broken>)
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the database is not closed in order; every row that was acknowledged is stored");
        }
        served?;
        tracing::info!("stopped; every session is kept");
        Ok(ExitCode::from(DONE))
    }

    async fn serve(
        &self,
        store: Store,
        (principals, prices): (Principals, Option<PriceTable>),
        signals: &Signals,
    ) -> anyhow::Result<()> {
        // The port is taken before the boot is recorded: a server that cannot listen leaves no trace.
        let listener = self.listen().await?;
        let clock = Clock::default();
        let tokens = TokenCounter::new(self.calls.tokens);
        let address = listener.local_addr().context("the port that was taken has no address")?;
        let policy = Policy { listen: Some(address.to_string()), ..self.policy(tokens.as_str()) };
        let mut beginning = std::pin::pin!(Sessions::begin(store, clock.clone(), policy));
        let Some(outcome) = signals.unless_stopped(&mut beginning).await else {
            // A boot that is being recorded ends in order, unless the database keeps it waiting: the next start buries it.
            if let Ok(Ok(sessions)) = tokio::time::timeout(LAST_MOMENT, beginning).await {
                sessions.stop(self.running.grace, signals.cause()).await;
            }
            return Ok(());
        };
        let sessions = outcome?;
        sessions.start_housekeeping();
        if let Err(error) = tokens.load_in_background() {
            tracing::warn!(%error, "no tokenizer: token counts stay estimates");
        }
        let capture = self.calls.capture.into();
        let tracking = Tracking { on: self.calls.tracking == OnOff::On, tokens, prices, capture };
        let tools = ToolSet::builtin();
        let tools = if self.calls.test_tools { testing::add_to(tools) } else { tools };
        let patience = Patience { tool: self.calls.tool_timeout, commit: self.calls.ack_deadline };
        let engine = Engine::new(sessions.clone(), tools, tracking, patience);
        let app = App::new(engine, self.host_rules(), principals, self.limits());
        self.follow_hang_ups(&app, &sessions, signals);
        let stop = signals.stopped(self.running.test_clock.then_some(clock));
        // The address that was asked for may have had port 0: tests and scripts wait for this line.
        tracing::info!(database = %sessions.store().location().shown(), "listening on http://{address}/mcp");
        let shutdown = Shutdown { drain_delay: self.running.drain_delay, grace: self.running.grace };
        tokio::select! {
            () = crate::server::run(app, listener, stop, shutdown) => {}
            broken = sessions.broken() => return Err(broken.into()),
        }
        sessions.stop(self.running.grace, signals.cause()).await;
        Ok(())
    }

    /// Reads the token file again whenever SIGHUP asks for it.
    fn follow_hang_ups(&self, app: &Arc<App>, sessions: &Sessions, signals: &Signals) {
        let (file, app, signals) = (self.access.token_file.clone(), app.clone(), signals.clone());
        sessions.supervisor().keep("token file", move |stopping| {
            let (file, app, signals) = (file.clone(), app.clone(), signals.clone());
            async move {
                while stopping.or(signals.hung_up()).await.is_some() {
                    if let Some(file) = &file {
                        app.read_principals(file).await;
                    } else {
                        tracing::info!("SIGHUP: there is no token file to read again");
                    }
                }
            }
        });
    }

    async fn listen(&self) -> Result<TcpListener, Usage> {
        TcpListener::bind(self.bind).await.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => Usage::new(
                format!("{} is in use by another program", self.bind),
                "stop it, or choose another port with --bind; port 0 takes a free one",
            ),
            _ => Usage::new(format!("cannot listen on {}: {error}", self.bind), "choose another address with --bind"),
        })
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

    fn open_options(&self) -> anyhow::Result<OpenOptions> {
        let location = self.database.location()?;
        if location == Location::SqliteMemory {
            tracing::warn!("sessions in memory end with this process: nothing survives a restart");
        }
        Ok(OpenOptions { location, role: Role::Server, sync_full: self.sessions.sync == Sync::Full })
    }

    fn policy(&self, token_method: &'static str) -> Policy {
        Policy {
            timeout: self.sessions.session_timeout,
            protocol_timeout: self.sessions.protocol_session_timeout,
            max_age: self.sessions.max_session_age,
            recover_window: self.sessions.recover_window,
            cleanup_interval: self.sessions.cleanup_interval,
            retention: self.sessions.retention.0,
            capture_retention: self.calls.capture_retention.0,
            store_grace: self.sessions.store_grace,
            caps: Caps {
                sessions: Some(self.sessions.max_sessions),
                per_principal: self.sessions.max_sessions_per_principal,
                opened_per_second: self.sessions.max_initialize_rate,
            },
            token_method,
            listen: None,
        }
    }

    fn host_rules(&self) -> HostRules {
        let mut hosts = self.access.allow_host.clone();
        // The address that we listen on is ours, unless it stands for all.
        if !self.bind.ip().is_unspecified() {
            hosts.push(self.bind.ip().to_string());
        }
        HostRules { hosts, origins: self.access.allow_origin.clone(), trust_proxy: self.access.trust_proxy }
    }

    fn limits(&self) -> Limits {
        Limits {
            head_time: self.running.head_time,
            body_time: self.running.body_time,
            write_time: self.running.write_time,
            ..Limits::default()
        }
    }
}

fn price_table(file: &Path) -> Result<PriceTable, Usage> {
    let hint = "a price table is TOML: [default], prompt_per_1k = 0.003, completion_per_1k = 0.015";
    let text = std::fs::read_to_string(file)
        .map_err(|e| Usage::new(format!("cannot read the price table {}: {e}", file.display()), hint))?;
    PriceTable::parse(&text).map_err(|e| Usage::new(format!("{}: {e}", file.display()), hint))
}
