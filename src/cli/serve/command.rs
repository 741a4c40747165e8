//! What `archonctl serve` is told, as a whole, and what a server is made of by it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::manager;
use super::options::{AccessOptions, CallOptions, RunOptions, SessionOptions};
use super::values::{OnOff, Sync};
use crate::accounting::prices::PriceTable;
use crate::accounting::tokens::TokenCounter;
use crate::catalog::Current;
use crate::cli::database::Database;
use crate::cli::exit::Usage;
use crate::mcp::{Engine, Timeouts, Tracking};
use crate::model::machine::Machine;
use crate::server::{HostRules, Limits};
use crate::session::{Caps, Deployment, Policy, Sessions};
use crate::store::boots::ServerName;
use crate::store::{Location, OpenOptions, Role};
use crate::tools::{builtin, testing};

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
    pub(super) bind: SocketAddr,
    #[command(flatten)]
    pub(super) database: Database,
    #[command(flatten)]
    pub(super) sessions: SessionOptions,
    #[command(flatten)]
    pub(super) calls: CallOptions,
    #[command(flatten)]
    pub(super) access: AccessOptions,
    #[command(flatten)]
    pub(super) running: RunOptions,
}

impl Options {
    /// Sessions at work, and what can be called.
    pub(super) fn engine(
        &self,
        sessions: &Arc<Sessions>,
        tokens: TokenCounter,
        prices: Option<PriceTable>,
    ) -> Arc<Engine> {
        sessions.start_housekeeping();
        if let Err(error) = tokens.load_in_background() {
            tracing::warn!(%error, "no tokenizer: token counts stay estimates");
        }
        let capture = self.calls.capture.into();
        let tracking = Tracking { on: self.calls.tracking == OnOff::On, tokens, prices, capture };
        let catalog = builtin(sessions);
        let catalog = if self.calls.test_tools { testing::add_to(catalog, sessions) } else { catalog };
        let timeouts = Timeouts { tool: self.calls.tool_timeout, commit: self.calls.ack_deadline };
        let engine = Engine::new(sessions.clone(), Arc::new(Current::new(catalog)), tracking, timeouts);
        let telling = engine.clone();
        sessions.supervisor().keep("announce changes", move |stopping| telling.clone().announce_changes(stopping));
        engine
    }

    pub(super) fn open_options(&self) -> anyhow::Result<OpenOptions> {
        let location = self.database.location()?;
        if location == Location::SqliteMemory {
            tracing::warn!("sessions in memory end with this process: nothing survives a restart");
        }
        Ok(OpenOptions { location, role: Role::Server, sync_full: self.sessions.sync == Sync::Full })
    }

    pub(super) fn policy(&self, token_method: &'static str, listen: Option<String>) -> Policy {
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
                per_principal: self.sessions.share_of_a_principal(self.access.token_file.is_some()),
                opened_per_second: self.sessions.initialize_rate(),
                database_bytes: self.sessions.max_database_size.filter(|size| *size > 0),
            },
            token_method,
            deployment: Deployment {
                listen,
                name: self.server_name(&self.bind.to_string()),
                former: self.running.former_end,
                machine: self.running.test_machine.as_ref().map_or_else(Machine::default, Machine::under),
            },
            on_tick: manager::watchdog(),
        }
    }

    /// Which of the database's servers this is.
    pub(super) fn server_name(&self, address: &str) -> ServerName {
        ServerName { name: self.running.instance_name.clone(), address: Some(address.to_owned()) }
    }

    pub(super) fn host_rules(&self) -> HostRules {
        let mut hosts = self.access.allow_host.clone();
        // The address that we listen on is ours, unless it stands for all.
        if !self.bind.ip().is_unspecified() {
            hosts.push(self.bind.ip().into());
        }
        HostRules::new(hosts, self.access.allow_origin.clone(), self.access.trust_proxy)
    }

    pub(super) fn limits(&self, connections: usize) -> Limits {
        Limits {
            connections,
            head_time: self.running.head_time,
            idle_time: self.running.idle_time,
            body_time: self.running.body_time,
            write_time: self.running.write_time,
            ..Limits::default()
        }
    }

    /// What tokens cost, if a file says so.
    pub(super) fn prices(&self) -> Result<Option<PriceTable>, Usage> {
        self.calls.prices.as_deref().map(price_table).transpose()
    }
}

fn price_table(file: &Path) -> Result<PriceTable, Usage> {
    let hint = "a price table is TOML: [default], prompt_per_1k = 0.003, completion_per_1k = 0.015";
    let text = std::fs::read(file)
        .and_then(crate::model::encoding::decode)
        .map_err(|e| Usage::new(format!("cannot read the price table {}: {e}", file.display()), hint))?;
    PriceTable::parse(&text).map_err(|e| Usage::new(format!("{}: {e}", file.display()), hint))
}
