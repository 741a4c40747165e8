//! The load of `scripts/bench.sh` and `scripts/soak.sh`: clients of an MCP server over HTTP, each with a session of its own.
//!
//! Made to cost little beside the server it measures: one thread, raw TCP, requests written once and sent as they are. Each
//! command prints one line of JSON; any wrong answer makes it fail.

mod http;
mod open;
mod process;
mod restored;
mod session;
mod soak;
mod tally;
mod window;

use std::process::ExitCode;

use clap::Parser;

/// Calls, opens and tries sessions of an MCP server as fast as it answers, and says how fast that is.
#[derive(Parser)]
enum Options {
    /// One tool called over and over, the next call of a connection when the last one is answered
    Calls(window::Options),
    /// One session after the other opened on each connection: only `initialize` is sent
    Sessions(window::Options),
    /// Opens this many sessions, leaves them open, and says what memory they take
    Open(open::Options),
    /// The first call of each session that a server should still know after it was killed and started again
    Restored(restored::Options),
    /// Calls at a given rate for a long time, sessions opened, ended and left: a line each interval
    Soak(soak::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let first_error = match Options::parse() {
        Options::Calls(options) => window::calls(&options).await?,
        Options::Sessions(options) => window::sessions(&options).await?,
        Options::Open(options) => open::run(&options).await?,
        Options::Restored(options) => restored::run(&options).await?,
        Options::Soak(options) => soak::run(&options).await?,
    };
    let Some(first_error) = first_error else { return Ok(ExitCode::SUCCESS) };
    eprintln!("the first error: {first_error}");
    Ok(ExitCode::FAILURE)
}

/// The result of a command as the script reads it.
fn tell(report: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}
