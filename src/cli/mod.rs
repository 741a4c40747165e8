//! One file a subcommand; the only reader of arguments and environment.
//!
//! A subcommand is `Options` and `run(self)`. Data goes to standard output, all else to standard error; errors leave
//! through [`main`], which maps them to the exit codes of [`exit`].

mod arguments;
pub mod call;
mod coerce;
pub mod dashboard;
mod database;
pub mod db;
pub mod events;
pub mod exit;
pub mod expire;
mod follow;
mod identity;
pub mod list;
mod logging;
mod output;
mod paths;
mod pretty;
pub mod requests;
pub mod serve;
pub mod show;
mod signal;
pub mod stats;
mod target;
mod watch;
mod which;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Keeps MCP sessions alive, shows them, and proves it.
#[derive(Debug, Parser)]
#[command(name = "archonctl", version, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Options>),
    Call(call::Options),
    List(list::Options),
    Show(show::Options),
    Requests(requests::Options),
    Events(events::Options),
    Stats(stats::Options),
    Expire(expire::Options),
    Dashboard(dashboard::Options),
    Db(db::Options),
}

impl Command {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(options) => options.run().await,
            Self::Call(options) => options.run().await,
            Self::List(options) => options.run().await,
            Self::Show(options) => options.run().await,
            Self::Requests(options) => options.run().await,
            Self::Events(options) => options.run().await,
            Self::Stats(options) => options.run().await,
            Self::Expire(options) => options.run().await,
            Self::Dashboard(options) => options.run().await,
            Self::Db(options) => options.run().await,
        }
    }
}

/// Reads the arguments, runs the command, and says in the exit code how it went.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let style = exit::Style::asked_for(&args);
    let done = match Cli::try_parse_from(&args) {
        Ok(cli) => block_on(cli.command.run()),
        Err(usage) => Err(usage.into()),
    };
    done.unwrap_or_else(|error| exit::leave(&error, style))
}

fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(work);
    // Not `drop`: it would wait for a name lookup that nobody waits for any more.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
