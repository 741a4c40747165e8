//! `archonctl ready`: whether a server can serve, for probes of containers and scripts.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::exit;
use super::output::{VERSION, printable};
use super::target::Target;
use crate::client::why_not_ready;

const EXAMPLES: &str = "\
Examples:
  archonctl ready
  archonctl ready --url http://127.0.0.1:9000/mcp --timeout 2s

It asks /readyz beside the endpoint, which wants no token and leaves no trace. The exit code is 0 when the server is
ready, 1 when it answers that it is not (its database does not answer, or it is stopping), and 4 when nobody answers.";

/// Ask whether the server is ready
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print one JSON document, and an error as one JSON line on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Asks.
    ///
    /// # Errors
    /// When nobody answers; see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let reason = why_not_ready(&self.target.into_options()?).await?;
        let text = match (&reason, self.json) {
            (_, true) => json!({"version": VERSION, "ready": reason.is_none(), "reason": reason}).to_string(),
            (None, false) => "ready".to_owned(),
            (Some(reason), false) => format!("not ready: {}", printable(reason)),
        };
        let mut out = io::stdout().lock();
        // A reader that went away does not make a server ready.
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error).context("cannot write"),
            _ => {}
        }
        Ok(ExitCode::from(if reason.is_none() { exit::DONE } else { exit::NO }))
    }
}
