//! One file a subcommand; the only reader of arguments and environment.
//!
//! A subcommand is `Options` and `run(self)`. Data goes to standard output, all else to standard error; errors leave
//! through [`main`], which maps them to the exit codes of [`exit`].

mod arguments;
mod ask;
mod board;
mod boots;
pub mod call;
mod candidates;
pub mod close;
mod coerce;
pub mod completions;
pub mod config;
pub mod connect;
pub mod dashboard;
mod database;
pub mod db;
pub mod demo;
mod elicit;
pub mod events;
pub mod exit;
pub mod expire;
mod follow;
mod hear;
mod identity;
pub mod init;
pub mod inspector;
mod item;
pub mod list;
mod logging;
pub mod man;
mod nearest;
mod output;
mod paths;
mod pretty;
mod problems;
pub mod ready;
mod repeat;
pub mod requests;
mod secrets;
pub mod selftest;
pub mod serve;
mod settings;
pub mod show;
mod signal;
mod signature;
pub mod stats;
mod target;
pub mod tools;
mod visit;
mod watch;
mod which;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::Runtime;

use serve::Early;
use settings::Settings;

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
    Ready(Box<ready::Options>),
    Init(Box<init::Options>),
    Call(Box<call::Options>),
    Tools(Box<tools::Options>),
    Close(Box<close::Options>),
    Inspector(Box<inspector::Options>),
    Selftest(Box<selftest::Options>),
    List(list::Options),
    Show(show::Options),
    Requests(requests::Options),
    Events(events::Options),
    Stats(stats::Options),
    Boots(boots::Options),
    Problems(problems::Options),
    Expire(expire::Options),
    Dashboard(dashboard::Options),
    Demo(demo::Options),
    Db(db::Options),
    Connect(connect::Options),
    Config(config::Options),
    Completions(completions::Options),
    Man(man::Options),
}

impl Command {
    /// Whether a broken configuration file stands in its way: those that help to mend one, and those that do nothing with
    /// it, run all the same.
    fn needs_settings(&self) -> bool {
        match self {
            Self::Config(options) => options.needs_settings(),
            Self::Completions(_) | Self::Man(_) => false,
            _ => true,
        }
    }

    async fn run(self, early: Option<Early>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(options) => options.run(early.unwrap_or_else(|| Early::new(None))).await,
            Self::Ready(options) => options.run().await,
            Self::Init(options) => options.run().await,
            Self::Call(options) => options.run().await,
            Self::Tools(options) => options.run().await,
            Self::Close(options) => options.run().await,
            Self::Inspector(options) => options.run().await,
            Self::Selftest(options) => options.run().await,
            Self::List(options) => options.run().await,
            Self::Show(options) => options.run().await,
            Self::Requests(options) => options.run().await,
            Self::Events(options) => options.run().await,
            Self::Stats(options) => options.run().await,
            Self::Boots(options) => options.run().await,
            Self::Problems(options) => options.run().await,
            Self::Expire(options) => options.run().await,
            Self::Dashboard(options) => options.run().await,
            Self::Demo(options) => options.run().await,
            Self::Db(options) => options.run().await,
            Self::Connect(options) => options.run(),
            Self::Config(options) => options.run(Cli::command()),
            Self::Completions(options) => options.run(),
            Self::Man(options) => options.run(Cli::command()),
        }
    }
}

/// Reads the arguments, runs the command, and says in the exit code how it went.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    secrets::hold_given(&args, |name| std::env::var(name).ok());
    let style = exit::Style::asked_for(&args);
    run(&args).unwrap_or_else(|error| exit::leave(&error, style))
}

fn run(args: &[OsString]) -> anyhow::Result<ExitCode> {
    // Before anything else that a server does: whenever it is asked to stop, it stops in order.
    let early = if args.get(1).is_some_and(|command| command == "serve") { Some(early()?) } else { None };
    if completions::answer(args, Cli::command)? {
        return Ok(ExitCode::from(exit::DONE));
    }
    let cli = parse(args)?;
    let (runtime, early) = match early {
        Some((runtime, early)) => (runtime, Some(early)),
        None => (runtime()?, None),
    };
    let done = runtime.block_on(cli.command.run(early));
    // Not `drop`: it would wait for a name lookup that nobody waits for any more.
    runtime.shutdown_background();
    done
}

fn early() -> anyhow::Result<(Runtime, Early)> {
    let socket = Early::socket();
    let runtime = runtime()?;
    let early = {
        let _within = runtime.enter();
        Early::new(socket?)
    };
    Ok((runtime, early))
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")
}

/// The command with its options: from the arguments, the environment, the configuration file.
fn parse(args: &[OsString]) -> anyhow::Result<Cli> {
    let mut settings = Settings::load(Cli::command());
    let read = settings.command.try_get_matches_from_mut(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = read.map_err(|usage| usage.format(&mut settings.command))?;
    match settings.fault {
        Some(fault) if cli.command.needs_settings() => Err(fault.into()),
        _ => Ok(cli),
    }
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
