//! A home of its own for the client's commands: what they remember and find there is theirs alone.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use tempfile::TempDir;

use crate::faulty::Faulty;
use crate::process::archonctl;

/// The home.
pub(crate) struct Home {
    folder: TempDir,
    /// `ARCHONCTL_URL`.
    url: Option<String>,
}

impl Home {
    /// An empty one, in whose environment that server stands.
    pub(crate) fn with(server: &Faulty) -> Self {
        Self { url: Some(server.url.clone()), ..Self::empty() }
    }

    /// The same for a server at that URL.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::empty() }
    }

    /// An empty one, in whose environment no server stands.
    pub(crate) fn empty() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), url: None }
    }

    /// The folder, in which the commands run as well.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of remembered sessions.
    pub(crate) fn session_file(&self) -> PathBuf {
        self.path().join(".local/state/archonctl/sessions.json")
    }

    /// What is remembered, by key.
    pub(crate) fn remembered(&self) -> Value {
        let text = std::fs::read(self.session_file()).expect("the file");
        serde_json::from_slice::<Value>(&text).expect("JSON")["sessions"].clone()
    }

    /// `archonctl ARGS`.
    pub(crate) fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = archonctl(self.path());
        command.args(args).envs(self.url.iter().map(|url| ("ARCHONCTL_URL", url)));
        command
    }

    /// Runs `archonctl ARGS`, without blocking the server's thread.
    pub(crate) async fn run(&self, args: &[&str]) -> Assert {
        run(self.command(args)).await
    }

    /// The same; it has to end with this exit code, and what it printed is JSON.
    pub(crate) async fn json(&self, args: &[&str], code: u8) -> Value {
        let assert = self.run(args).await.code(i32::from(code));
        serde_json::from_slice(&assert.get_output().stdout).expect("one JSON document")
    }

    /// Starts `archonctl ARGS`, its outputs going nowhere.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
    }
}

/// Runs a command to its end, without blocking the server's thread. Its standard input is empty.
pub(crate) async fn run(command: std::process::Command) -> Assert {
    run_on(command, "").await
}

/// The same with this standard input.
pub(crate) async fn run_on(command: std::process::Command, input: &'static str) -> Assert {
    let mut command = Command::from_std(command);
    command.timeout(Duration::from_mins(1)).write_stdin(input);
    tokio::task::spawn_blocking(move || command.assert()).await.expect("it ran")
}

/// The URL of a port that is ours and refuses connections as long as the socket lives: bound and not listening.
pub(crate) fn nobody() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}/mcp", socket.local_addr().expect("an address"));
    (socket, url)
}
