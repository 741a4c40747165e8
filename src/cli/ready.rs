//! `archonctl ready`: whether a server can serve, for probes of containers and scripts.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::time::sleep;

use super::exit;
use super::output::{self, VERSION, line};
use super::secrets;
use super::signal::or_interrupted;
use super::target::Target;
use crate::client::{ClientError, ClientOptions, why_not_ready};

const EXAMPLES: &str = "\
Examples:
  archonctl ready
  archonctl ready --url http://127.0.0.1:9000/mcp --timeout 2s
  archonctl ready --wait 10s

It asks /readyz beside the endpoint, which wants no token and leaves no trace. The exit code is 0 when the server is \
ready, 1 when it answers that it is not (its database does not answer, or it is stopping), and 4 when nobody answers.

With --wait it asks until the server is ready or the time is over; the exit code is then that of its last answer.";

/// How long after an answer that it is not ready the server is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Ask whether the server is ready
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print one JSON document, and an error as one JSON line on standard error
    #[arg(long)]
    json: bool,
    /// Keep asking until the server is ready, for at most this long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Asks.
    ///
    /// # Errors
    /// When nobody answers; see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let options = self.target.into_options()?;
        let reason = match self.wait {
            Some(wait) => or_interrupted(async { Ok(wait_for(&options, wait).await?) }).await?,
            None => or_interrupted(async { Ok(why_not_ready(&options).await?) }).await?,
        };
        let text = match (&reason, self.json) {
            (_, true) => {
                let document = json!({"version": VERSION, "ready": reason.is_none(), "reason": reason}).to_string();
                output::json(&document).into_owned()
            }
            (None, false) => "ready".to_owned(),
            (Some(reason), false) => format!("not ready: {}", line(&secrets::hidden(reason))),
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

/// Asks until the server is ready, or the time is over. What is said then is the last answer, or why there was none.
async fn wait_for(options: &ClientOptions, wait: Duration) -> Result<Option<String>, ClientError> {
    let (began, mut options, mut before) = (Instant::now(), options.clone(), None);
    loop {
        let left = wait.saturating_sub(began.elapsed());
        // That the last of all questions was cut short says less than the answer before it.
        let is_cut = left < options.timeout;
        options.timeout = options.timeout.min(left.max(PAUSE));
        let answer = why_not_ready(&options).await;
        let answer = match (answer, before.take()) {
            (Err(ClientError::Timeout { .. }), Some(before)) if is_cut => before,
            (answer, _) => answer,
        };
        if matches!(answer, Ok(None)) || began.elapsed() + PAUSE >= wait {
            return answer;
        }
        before = Some(answer);
        sleep(PAUSE).await;
    }
}
