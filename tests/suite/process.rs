//! The real binary as a process: started, watched, killed, started again.
//!
//! ```ignore
//! let mut server = ServeProcess::start(&db, &["--session-timeout", "5m", "--test-clock"]).await;
//! let session = Mcp::new(server.url()).initialize("2025-11-25").await;
//! server.write_line("advance 65m");
//! server.wait_for_line("Cleaned up 1 expired sessions", Duration::from_secs(5)).await;
//! server.sigkill();
//! let server = ServeProcess::start_at(server.address(), &db, &[]).await; // the same URL again
//! ```

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::databases::Database;

mod tests;

/// How long a server may take until it listens: generous, since a passing test never waits for it.
const START: Duration = Duration::from_mins(1);
/// What a server prints once it can be reached, before its URL.
const LISTENING: &str = "listening on http://";

/// The `archonctl` of this build, with an environment that holds nothing but `PATH` and a home of its own: no variable
/// and no file of whoever runs the tests can reach it.
pub(crate) fn archonctl(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archonctl"));
    command.env_clear().envs(env::vars_os().filter(|(name, _)| name == "PATH"));
    command.env("HOME", home).current_dir(home);
    command
}

/// A running `archonctl serve`. Dropping it kills it; a test that fails prints its log.
pub(crate) struct ServeProcess {
    child: Child,
    /// Unless it was given one that is no pipe of ours.
    stdin: Option<ChildStdin>,
    /// What it has printed; closed when its outputs are.
    log: watch::Receiver<Vec<String>>,
    url: String,
    /// Held for its drop: see [`kept_port`].
    _port: Option<TcpSocket>,
}

/// A port that nobody else is given while its server is down. On Linux sockets that allow reuse may be bound beside each
/// other as long as only one listens, and this one never does. `None` where it has to be taken as it comes.
fn kept_port(address: &str) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("reuse");
    let is_bound = cfg!(target_os = "linux") && socket.bind(address.parse().expect("an address")).is_ok();
    is_bound.then_some(socket)
}

impl ServeProcess {
    /// Starts `archonctl serve` on a free port of 127.0.0.1 and on that database, and returns once it listens.
    ///
    /// # Panics
    ///
    /// With the log, when it ends instead or does not listen within a minute.
    pub(crate) async fn start(database: &Database, arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", database, arguments).await
    }

    /// The same on a given address: that of a server that has ended, so that its clients find this one.
    pub(crate) async fn start_at(address: &str, database: &Database, arguments: &[&str]) -> Self {
        Self::launch_on(database.url(), address, database, arguments).await
    }

    /// The same as [`Self::start`], on another way to the database.
    pub(crate) async fn start_on(url: &str, database: &Database, arguments: &[&str]) -> Self {
        Self::launch_on(url, "127.0.0.1:0", database, arguments).await
    }

    /// The same as [`Self::start`], with more in its environment.
    pub(crate) async fn start_in(environment: &[(&str, OsString)], database: &Database, arguments: &[&str]) -> Self {
        Self::launch_in(environment, database.url(), "127.0.0.1:0", database, arguments).await
    }

    /// The same at the address of one that has ended.
    pub(crate) async fn restart_on(url: &str, address: &str, database: &Database, arguments: &[&str]) -> Self {
        Self::launch_on(url, address, database, arguments).await
    }

    async fn launch_on(url: &str, address: &str, database: &Database, arguments: &[&str]) -> Self {
        Self::launch_in(&[], url, address, database, arguments).await
    }

    async fn launch_in(
        environment: &[(&str, OsString)],
        url: &str,
        address: &str,
        database: &Database,
        arguments: &[&str],
    ) -> Self {
        let (mut command, port) = Self::command(url, address, database, arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::launch(command, port).await
    }

    /// The same as [`Self::restart_on`], or `None` where it ends instead: its database may be away.
    pub(crate) async fn try_restart_on(
        url: &str,
        address: &str,
        database: &Database,
        arguments: &[&str],
    ) -> Option<Self> {
        let (command, port) = Self::command(url, address, database, arguments);
        let server = Self::spawn(command, port);
        let mut log = server.log.clone();
        let is_listening = |lines: &Vec<String>| lines.iter().any(|line| line.contains(LISTENING));
        let outcome = timeout(START, log.wait_for(is_listening)).await;
        let has_ended = outcome.expect("neither an end nor a server within a minute").is_err();
        if has_ended { None } else { Some(server.found().await) }
    }

    fn command(url: &str, address: &str, database: &Database, arguments: &[&str]) -> (Command, Option<TcpSocket>) {
        let port = kept_port(address);
        let address =
            port.as_ref().and_then(|port| port.local_addr().ok()).map_or(address.to_owned(), |a| a.to_string());
        let mut command = archonctl(database.folder());
        command.args(["serve", "--bind", &address, "--database-url", url]).args(arguments);
        (command, port)
    }

    /// A program in the place of ours, with all its arguments.
    pub(crate) async fn launch_program(program: &Path, home: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.env_clear().envs(env::vars_os().filter(|(name, _)| name == "PATH")).env("HOME", home);
        command.args(arguments);
        Self::launch_command(command).await
    }

    /// Any command that becomes a server, with the standard input that it has.
    pub(crate) async fn launch_command(command: Command) -> Self {
        Self::begin(command, None).found().await
    }

    async fn launch(command: Command, port: Option<TcpSocket>) -> Self {
        Self::spawn(command, port).found().await
    }

    fn spawn(mut command: Command, port: Option<TcpSocket>) -> Self {
        command.stdin(Stdio::piped());
        Self::begin(command, port)
    }

    fn begin(mut command: Command, port: Option<TcpSocket>) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let (lines, log) = watch::channel(Vec::new());
        let lines = Arc::new(lines);
        collect(child.stdout.take().expect("a piped stdout"), Arc::clone(&lines));
        collect(child.stderr.take().expect("a piped stderr"), lines);
        let stdin = child.stdin.take();
        Self { child, stdin, log, url: String::new(), _port: port }
    }

    /// Once it listens.
    async fn found(mut self) -> Self {
        let line = self.wait_for_line(LISTENING, START).await;
        let (_, address) = line.split_once(LISTENING).expect("the line that we waited for");
        let end = address.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(address.len());
        self.url = format!("http://{}", &address[..end]);
        self
    }

    /// The MCP endpoint: `http://127.0.0.1:PORT/mcp`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().unwrap_or_default()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far, line by line, in no fixed order between its two outputs.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// The first line that holds the text, printed already or within the deadline.
    ///
    /// # Panics
    ///
    /// With the log, when there is none.
    pub(crate) async fn wait_for_line(&self, text: &str, deadline: Duration) -> String {
        let holds = |line: &&String| line.contains(text);
        let mut log = self.log.clone();
        let found = timeout(deadline, log.wait_for(|lines| lines.iter().any(|line| holds(&line)))).await;
        let why = match found {
            Ok(Ok(lines)) => return lines.iter().find(holds).cloned().unwrap_or_default(),
            Ok(Err(_)) => "it ended",
            Err(_) => "the deadline passed",
        };
        panic!("{why} without a line that holds {text:?}; its log:\n{}", self.lines().join("\n"));
    }

    /// Writes a line to its standard input: `advance 65m` for a server with `--test-clock`.
    pub(crate) fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("a piped stdin");
        writeln!(stdin, "{line}").expect("write to the server's standard input");
    }

    /// Kills it, as a crash would, and waits until it is gone.
    pub(crate) fn sigkill(&mut self) -> ExitStatus {
        self.child.kill().expect("kill the server");
        self.child.wait().expect("wait for the server")
    }

    /// Asks it to stop, as `systemctl stop` does. See [`Self::ended`].
    pub(crate) fn sigterm(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// With the log, when it has not by the deadline.
    pub(crate) async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        // Its outputs close when it ends: then `wait` returns at once.
        let closed = timeout(deadline, self.log.wait_for(|_| false)).await.is_ok();
        assert!(closed, "still running after {deadline:?}; its log:\n{}", self.lines().join("\n"));
        self.child.wait().expect("wait for the server")
    }
}

impl Drop for ServeProcess {
    fn drop(&mut self) {
        // It fails only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the log of {}:\n{}", self.url, self.lines().join("\n"));
        }
    }
}

/// Sends a process a signal.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("run kill");
    assert!(status.success(), "kill -s {name} {pid}: {status}");
}

/// Reads one output of a process line by line, on a thread of its own, so that the process never waits for us.
fn collect(output: impl Read + Send + 'static, lines: Arc<watch::Sender<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            lines.send_modify(|lines| lines.push(String::from_utf8_lossy(&line).trim_end().to_owned()));
        }
    });
}

/// How it ends, and what it says, when its reader is gone before it starts.
pub(crate) fn closed_pipe(home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = archonctl(home).args(args).stdout(writer).stderr(Stdio::piped()).output().expect("it ran");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
