//! `archonctl inspector`: the official MCP Inspector, pointed at a server that answers.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::process::Command;

use super::exit::Usage;
use super::output::print_note;
use super::signal::{Interrupted, interrupted};
use super::target::Target;
use crate::client::{Client, ClientOptions};

/// The version that our tests run.
const PACKAGE: &str = "@modelcontextprotocol/inspector@2.12.0";
/// The oldest Node.js that it asks for.
const NODE: (u32, u32) = (22, 19);
/// Our name for the server, in the Inspector's configuration.
const NAME: &str = "archonctl";
/// How long the Inspector may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);
const INSTALL: &str = "install Node.js 22.19 or newer, which brings npx: https://nodejs.org/en/download";

const EXAMPLES: &str = "\
Examples:
  archonctl inspector
  archonctl inspector --url https://archon.example.org/mcp --token-file token
  archonctl inspector --cli -- --method tools/list
  archonctl inspector --cli -- --method tools/call --tool-name find_projects --tool-arg query=auth

It asks the server first, so that a wrong address shows at once. Then npx runs the Inspector, and downloads it the first
time: Node.js 22.19 or newer has to be there. Address, transport and token reach it in a file that only this user can
read, and that is gone when it ends. The exit code is the Inspector's.";

/// Look at a server with the official MCP Inspector
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Run in the terminal instead of a browser; the arguments after -- say what to ask
    #[arg(long)]
    cli: bool,
    /// Arguments for the Inspector
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Runs the Inspector until it ends.
    ///
    /// # Errors
    /// When the server does not answer, or there is no Node.js; see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let npx = find_npx().await?;
        let options = self.target.into_options()?;
        greet(options.clone()).await?;
        let file = configuration(&options)?;
        let mut command = Command::new(npx);
        command.args(["-y", PACKAGE]);
        if self.cli {
            // It would look for a keychain, which a machine without a desktop does not have, to keep nothing in it.
            command.arg("--cli").env("MCP_INSPECTOR_SECRET_STORE", "memory");
        }
        command.arg("--config").arg(file.path()).args(["--server", NAME]).args(self.arguments);
        let status = run_to_end(command).await.context("cannot run npx")?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or_default();
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }
}

/// Says hello and goodbye: a server that does not answer is told in our words.
async fn greet(options: ClientOptions) -> anyhow::Result<()> {
    let client = Client::connect(options).await?;
    let server = client.session().server.clone();
    print_note(&format!("{} {} answers; starting the Inspector", server.name, server.version));
    // A session that stays open costs nobody anything but a little patience.
    _ = client.close().await;
    Ok(())
}

/// What the Inspector is told. In a file, because everybody on the machine can read arguments.
fn configuration(options: &ClientOptions) -> anyhow::Result<NamedTempFile> {
    let headers: serde_json::Map<_, _> =
        options.secret_headers().into_iter().map(|(name, value)| (name, value.into())).collect();
    let server = json!({"type": "http", "url": options.secret_url(), "headers": headers});
    let mut file = NamedTempFile::with_suffix(".json").context("cannot make a temporary file")?;
    writeln!(file, "{}", json!({"mcpServers": {NAME: server}})).context("cannot write a temporary file")?;
    Ok(file)
}

/// The npx on the PATH, given that there is a Node.js as well.
async fn find_npx() -> Result<PathBuf, Usage> {
    let node = on_path("node").ok_or_else(|| Usage::new("the Inspector needs Node.js, and there is none", INSTALL))?;
    let npx = on_path("npx").ok_or_else(|| Usage::new("the Inspector needs npx, and there is none", INSTALL))?;
    if let Ok(output) = Command::new(node).arg("--version").output().await {
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if is_old(&version) {
            print_note(&format!("warning: the Inspector asks for Node.js 22.19 or newer, and this is {version}"));
        }
    }
    Ok(npx)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths::<OsStr>(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether `v18.19.0` is older than wanted. What cannot be read is taken for new.
fn is_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) < NODE)
}

/// Runs the program, and hands on what this one is told by signal.
async fn run_to_end(mut command: Command) -> io::Result<ExitStatus> {
    // On a terminal it has to stay in our group, or it could not read. Elsewhere a group of its own lets us reach those
    // that npx starts in turn.
    let alone = !io::stdin().is_terminal();
    if alone {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let hand_on = |signal| match id {
        // Refused: there is nobody left.
        Some(id) if alone => _ = kill_process_group(id, signal),
        Some(id) => _ = kill_process(id, signal),
        None => {}
    };
    let signal = tokio::select! {
        ended = child.wait() => return ended,
        signal = interrupted() => signal,
    };
    match signal {
        // Ctrl-C on a terminal has reached it as it reached us.
        Interrupted::Interrupt if !alone => {}
        Interrupted::Interrupt => hand_on(Signal::INT),
        Interrupted::Terminate => hand_on(Signal::TERM),
    }
    let ended = if let Ok(ended) = tokio::time::timeout(GRACE, child.wait()).await {
        ended
    } else {
        hand_on(Signal::KILL);
        child.wait().await
    };
    if alone {
        // Whom npx started, and left.
        hand_on(Signal::TERM);
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn knows_an_old_node() {
        for (version, old) in [
            ("v18.19.0", true),
            ("v22.18.9", true),
            ("v22.19.0", false),
            ("v24.0.0", false),
            ("", false),
            ("v?", false),
        ] {
            assert_eq!(is_old(version), old, "{version}");
        }
    }
}
