//! `archonctl serve`: the server.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use humantime::parse_duration as duration;
use tokio::net::TcpListener;

use super::database::Database;
use super::exit::{DONE, Usage};
use super::logging;
use super::signal::{self, stop_signal};
use crate::mcp::{Capture, Engine, Patience, Tracking};
use crate::model::clock::Clock;
use crate::server::{App, HostRules, Limits, Principals, Shutdown};
use crate::session::{Caps, Policy, Sessions};
use crate::store::{Location, OpenOptions, Role, Store};
use crate::tools::prices::PriceTable;
use crate::tools::tokens::{TokenCounter, TokenMethod};
use crate::tools::{ToolSet, testing};

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

#[derive(Debug, Args)]
#[command(next_help_heading = "Sessions")]
struct SessionOptions {
    /// A session that is not used for longer than this ends
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_SESSION_TIMEOUT")]
    session_timeout: Duration,
    /// A session older than this ends, used or not [default: none]
    #[arg(long, value_parser = duration, value_name = "TIME", env = "ARCHONCTL_MAX_SESSION_AGE")]
    max_session_age: Option<Duration>,
    /// Time without any server does not count as idle, up to this long
    #[arg(long, default_value = "24h", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_RECOVER_WINDOW")]
    recover_window: Duration,
    /// How often sessions past their time are ended
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_CLEANUP_INTERVAL")]
    cleanup_interval: Duration,
    /// Request rows, events and ended sessions older than this are removed; sums by minute stay. `off` keeps all
    #[arg(long, default_value = "30d", value_parser = retention, value_name = "TIME|off", env = "ARCHONCTL_RETENTION")]
    retention: Retention,
    /// For how long a known session is trusted, and calls are taken, while the database does not answer
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_STORE_GRACE")]
    store_grace: Duration,
    /// Live sessions in all; then `initialize` is answered 503 until one ends
    #[arg(long, default_value = "100000", value_name = "N", env = "ARCHONCTL_MAX_SESSIONS")]
    max_sessions: u64,
    /// Live sessions of one principal; then 429 [default: none]
    #[arg(long, value_name = "N", env = "ARCHONCTL_MAX_SESSIONS_PER_PRINCIPAL")]
    max_sessions_per_principal: Option<u64>,
    /// Sessions that one principal may open a second, with bursts of ten times as many; beyond that 429 [default: none]
    #[arg(long, value_name = "N", env = "ARCHONCTL_MAX_INITIALIZE_RATE", value_parser = clap::value_parser!(u32).range(1..))]
    max_initialize_rate: Option<u32>,
    /// SQLite: `full` survives power loss too, `normal` the end of the process
    #[arg(long, value_name = "LEVEL", default_value = "normal", env = "ARCHONCTL_SYNC")]
    sync: Sync,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Calls")]
struct CallOptions {
    /// Whether each handled request leaves a row
    #[arg(long, value_name = "ON|OFF", hide_possible_values = true, default_value = "on", env = "ARCHONCTL_TRACKING")]
    tracking: OnOff,
    /// How tokens are counted: `approx` is bytes / 4
    #[arg(long, value_name = "METHOD", default_value = "approx", env = "ARCHONCTL_TOKENS")]
    tokens: Tokens,
    /// Whose arguments and error answers are kept, masked and cut to 4 KiB
    #[arg(long, value_name = "WHICH", default_value = "off", env = "ARCHONCTL_CAPTURE")]
    capture: Captures,
    /// For how long; `off` for as long as the database lasts
    #[arg(long, default_value = "24h", value_parser = retention, value_name = "TIME|off", env = "ARCHONCTL_CAPTURE_RETENTION")]
    capture_retention: Retention,
    /// TOML file with prices in USD per 1,000 tokens, for `estimated_cost`
    #[arg(long, value_name = "FILE", env = "ARCHONCTL_PRICES")]
    prices: Option<PathBuf>,
    /// A tool that runs longer is cancelled
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_TOOL_TIMEOUT")]
    tool_timeout: Duration,
    /// An answer waits at most so long for its row to be on disk
    #[arg(long, default_value = "250ms", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_ACK_DEADLINE")]
    ack_deadline: Duration,
    /// Tools for tests: `test_echo`, `test_sleep`, `test_fail`, `test_panic`
    #[arg(long, hide = true)]
    test_tools: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
struct AccessOptions {
    /// A Host header to let in besides the loopback ones; repeatable, or several with commas
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// An Origin header to let in besides the loopback ones; repeatable, or several with commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,
    /// Take the client's Host from X-Forwarded-Host
    #[arg(long)]
    trust_proxy: bool,
    /// Ask for bearer tokens: one line a principal, `sha256-of-token name [email] [uuid]`. /mcp, /health and /metrics
    /// then need a token, and follow the Host and Origin rules; /healthz and /readyz are open
    #[arg(long, value_name = "FILE", env = "ARCHONCTL_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Bind beyond loopback without tokens
    #[arg(long)]
    insecure: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
struct RunOptions {
    /// On SIGTERM, go on accepting for so long after /readyz says no
    #[arg(long, default_value = "0s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_DRAIN_DELAY")]
    drain_delay: Duration,
    /// Then let running calls finish for so long
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_GRACE")]
    grace: Duration,
    /// How log lines look, on standard error [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "ARCHONCTL_LOG_FORMAT")]
    log_format: Option<logging::Format>,
    /// How long a request's head may be on its way, and an idle connection is kept
    #[arg(long, hide = true, default_value = "75s", value_parser = duration)]
    head_time: Duration,
    /// How long a body may be on its way
    #[arg(long, hide = true, default_value = "30s", value_parser = duration)]
    body_time: Duration,
    /// Move the clock by lines `advance 65m` on standard input; end at its end
    #[arg(long, hide = true)]
    test_clock: bool,
}

/// How long rows are kept; `None` is for ever. (A type of its own, because the parser reads `Option` as "not required".)
#[derive(Debug, Clone, Copy)]
struct Retention(Option<Duration>);

fn retention(text: &str) -> Result<Retention, humantime::DurationError> {
    if text == "off" { Ok(Retention(None)) } else { duration(text).map(|time| Retention(Some(time))) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sync {
    Normal,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Captures {
    Off,
    Errors,
    All,
}

impl From<Captures> for Capture {
    fn from(captures: Captures) -> Self {
        match captures {
            Captures::Off => Self::Off,
            Captures::Errors => Self::Errors,
            Captures::All => Self::All,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tokens {
    Approx,
    O200k,
    Cl100k,
    Off,
}

impl From<Tokens> for TokenMethod {
    fn from(tokens: Tokens) -> Self {
        match tokens {
            Tokens::Approx => Self::Approx,
            Tokens::O200k => Self::O200k,
            Tokens::Cl100k => Self::Cl100k,
            Tokens::Off => Self::Off,
        }
    }
}

impl Options {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When it cannot begin: a wrong option, a database or port that cannot be had. Nothing was changed then.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        logging::start(self.running.log_format);
        signal::outlive_full_files();
        self.refuse_open_door()?;
        let principals = match &self.access.token_file {
            Some(file) => Principals::read(file)?,
            None => Principals::everybody(),
        };
        let prices = self.calls.prices.as_deref().map(price_table).transpose()?;
        let store = Store::open(&self.open_options()?).await?;
        // The port is taken before the boot is recorded: a server that cannot listen leaves no trace.
        let listener = self.listen().await?;
        let clock = Clock::default();
        let tokens = TokenCounter::new(self.calls.tokens.into());
        let sessions = Sessions::begin(store, clock.clone(), self.policy(tokens.as_str())).await?;
        let _housekeeping = sessions.start_housekeeping();
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
        let address = listener.local_addr().context("the port that was taken has no address")?;
        let cause = Arc::new(std::sync::OnceLock::new());
        let stop = stop_signal(cause.clone(), self.running.test_clock.then_some(clock));
        // The address that was asked for may have had port 0: tests and scripts wait for this line.
        tracing::info!(database = %sessions.store().location().shown(), "listening on http://{address}/mcp");
        let shutdown = Shutdown { drain_delay: self.running.drain_delay, grace: self.running.grace };
        crate::server::run(app, listener, stop, shutdown).await;
        sessions.stop(self.running.grace, cause.get().copied().unwrap_or("clean")).await;
        tracing::info!("stopped; every session is kept");
        Ok(ExitCode::from(DONE))
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
        Limits { head_time: self.running.head_time, body_time: self.running.body_time, ..Limits::default() }
    }
}

fn price_table(file: &Path) -> Result<PriceTable, Usage> {
    let hint = "a price table is TOML: [default], prompt_per_1k = 0.003, completion_per_1k = 0.015";
    let text = std::fs::read_to_string(file)
        .map_err(|e| Usage::new(format!("cannot read the price table {}: {e}", file.display()), hint))?;
    PriceTable::parse(&text).map_err(|e| Usage::new(format!("{}: {e}", file.display()), hint))
}
