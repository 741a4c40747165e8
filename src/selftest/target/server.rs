//! One server that selftest may start, end and start again: our own, or one that `--server-cmd` names.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::TargetError;
use super::process::{Process, ServerLog};

/// How long a server may take until it can be reached.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(20);
/// How long the system may take to free the port of a process that has ended.
const LET_GO: Duration = Duration::from_secs(1);
/// How often it is tried whether it can be reached.
const POLL: Duration = Duration::from_millis(20);
/// What our own server prints once it can be reached, before its URL.
const LISTENING: &str = "listening on http://";
/// What it prints when its clock has been moved.
const ADVANCED: &str = "clock advanced";

/// How a server is started.
#[derive(Debug, Clone)]
pub(super) enum Launch {
    /// `archonctl serve`.
    Own {
        /// This very program; arguments may follow.
        program: Vec<OsString>,
        /// Home and working folder: no variable and no file of the user reaches it.
        home: PathBuf,
        /// The database's URL.
        database: String,
        /// More arguments.
        args: Vec<String>,
    },
    /// Anything that listens where it is told, or where it always does.
    Foreign {
        /// Program and arguments; `{port}` is the port.
        words: Vec<String>,
    },
}

/// A server that was started.
#[derive(Debug)]
pub(in crate::selftest) struct Server {
    launch: Launch,
    address: SocketAddr,
    process: Option<Process>,
    log: ServerLog,
    /// How far its clock is ahead.
    advanced: Duration,
    /// Held for its drop: see [`reserved`].
    _reservation: Option<TcpSocket>,
}

impl Server {
    /// Starts it at that address, port 0 being any free one, and waits until it can be reached.
    pub(super) async fn start(launch: Launch, address: SocketAddr) -> Result<Self, TargetError> {
        let (address, reservation) = match launch {
            Launch::Own { .. } if address.port() == 0 && cfg!(target_os = "linux") => reserved()?,
            Launch::Foreign { .. } if address.port() == 0 => (free_port()?, None),
            _ => (address, None),
        };
        if is_listening(address).await {
            return Err(TargetError::Server(format!(
                "something listens on {address} already: it would be taken for the server; end it, or let the command \
                 listen on {{port}}"
            )));
        }
        let log = ServerLog::default();
        let advanced = Duration::ZERO;
        let mut server = Self { launch, address, process: None, log, advanced, _reservation: reservation };
        server.launch().await?;
        Ok(server)
    }

    /// Where it listens.
    pub(in crate::selftest) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has printed.
    pub(in crate::selftest) fn log(&self) -> &ServerLog {
        &self.log
    }

    /// How far its clock is ahead.
    pub(in crate::selftest) fn advanced(&self) -> Duration {
        self.advanced
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end, or somebody still listens where it did: then whatever comes next says nothing about a restart.
    pub(in crate::selftest) async fn stop(&mut self, signal: Signal) -> Result<(), TargetError> {
        self.advanced = Duration::ZERO;
        if let Some(process) = self.process.take() {
            process.stop(signal, STOP).await.map_err(|why| self.survived(signal, &why))?;
        }
        let began = Instant::now();
        while is_listening(self.address).await {
            if began.elapsed() > LET_GO {
                return Err(self.survived(signal, &format!("{} still answers", self.address)));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn survived(&self, signal: Signal, why: &str) -> TargetError {
        let signal = if signal == Signal::KILL { "SIGKILL" } else { "SIGTERM" };
        let advice = match self.launch {
            Launch::Own { .. } => "",
            Launch::Foreign { .. } => {
                ". The command may start a server that outlives it (a container, a daemon, a supervisor): start the server \
                 itself, in the foreground"
            }
        };
        TargetError::Server(format!("the server survived {signal}: {why}{advice}"))
    }

    /// Starts it again where it was, with other arguments if any are given.
    pub(in crate::selftest) async fn start_again(&mut self, new_args: Option<&[String]>) -> Result<(), TargetError> {
        if let (Launch::Own { args, .. }, Some(new)) = (&mut self.launch, new_args) {
            *args = new.to_vec();
        }
        self.launch().await
    }

    /// Moves its clock, and waits until it has moved.
    pub(in crate::selftest) async fn advance(&mut self, by: Duration) -> Result<(), TargetError> {
        let from = self.log.len();
        let process = self.process.as_mut().ok_or_else(|| TargetError::Server("the server is down".to_owned()))?;
        let line = format!("advance {}", humantime::format_duration(by));
        process.write_line(&line).map_err(|e| TargetError::Server(format!("its clock cannot be moved: {e}")))?;
        self.advanced += by;
        let moved = self.log.wait_for(from, START, |line| line.contains(ADVANCED)).await;
        moved.map(|_| ()).ok_or_else(|| TargetError::Server("its clock does not move".to_owned()))
    }

    async fn launch(&mut self) -> Result<(), TargetError> {
        let from = self.log.len();
        let command = self.command();
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = Process::start(command, &self.log).map_err(|error| match error.kind() {
            ErrorKind::NotFound => TargetError::NoProgram(program),
            _ => TargetError::Server(format!("{program} cannot be started: {error}")),
        })?;
        let reached = match self.launch {
            Launch::Own { .. } => self.listens(&process, from).await,
            Launch::Foreign { .. } => {
                process.guard();
                self.is_reached(&process).await
            }
        };
        // Kept when it cannot be reached as well: its log says why, its drop ends it.
        self.process = Some(process);
        reached
    }

    fn command(&self) -> Command {
        match &self.launch {
            Launch::Own { program, home, database, args } => own_command(program, home, self.address, database, args),
            Launch::Foreign { words } => {
                let port = self.address.port().to_string();
                let mut words = words.iter().map(|word| word.replace("{port}", &port));
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words).env("PORT", &port);
                command
            }
        }
    }

    /// Our own server says when, and where.
    async fn listens(&mut self, process: &Process, from: usize) -> Result<(), TargetError> {
        let began = Instant::now();
        let step = Duration::from_millis(500);
        while began.elapsed() < START {
            if let Some(line) = self.log.wait_for(from, step, |line| line.contains(LISTENING)).await {
                let address = line.split(LISTENING).nth(1).and_then(|rest| rest.split('/').next());
                let parsed = address.and_then(|address| address.parse().ok());
                self.address = parsed.ok_or_else(|| TargetError::Server(format!("no address in: {line}")))?;
                return Ok(());
            }
            if process.has_ended() {
                self.log.settle().await;
                return Err(self.did_not_start("it ended"));
            }
        }
        Err(self.did_not_start("it does not listen in time"))
    }

    /// Another's server listens when somebody can connect.
    async fn is_reached(&self, process: &Process) -> Result<(), TargetError> {
        let began = Instant::now();
        while began.elapsed() < START {
            if is_listening(self.address).await {
                return Ok(());
            }
            if process.has_ended() {
                self.log.settle().await;
                return Err(self.did_not_start("it ended"));
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.did_not_start(&format!("nothing listens on {}", self.address)))
    }

    fn did_not_start(&self, why: &str) -> TargetError {
        let log = self.log.tail(10).join("\n");
        let said = if log.is_empty() { "it printed nothing".to_owned() } else { format!("it printed:\n{log}") };
        TargetError::Server(format!("the server did not start: {why}; {said}"))
    }
}

async fn is_listening(address: SocketAddr) -> bool {
    matches!(timeout(START, TcpStream::connect(address)).await, Ok(Ok(_)))
}

fn own_command(program: &[OsString], home: &Path, address: SocketAddr, database: &str, args: &[String]) -> Command {
    let (first, rest) =
        program.split_first().map_or((OsStr::new(""), &[][..]), |(first, rest)| (first.as_os_str(), rest));
    let mut command = Command::new(first);
    command.args(rest);
    // The database's URL may hold a password: it goes by the environment, which others on this machine cannot read.
    command.env_clear().env("HOME", home).env("DATABASE_URL", database).current_dir(home);
    command.args(["serve", "--bind", &address.to_string(), "--log-format", "text", "--test-clock", "--test-tools"]);
    // Nobody else would remove the folder after a SIGKILL of ours.
    command.arg("--throw-away").arg(home).args(args);
    command
}

/// A port for our own server, kept for all its lives: while it is down, nobody else may be given it. On Linux sockets that
/// allow reuse may be bound beside each other as long as only one listens; this one never does.
fn reserved() -> Result<(SocketAddr, Option<TcpSocket>), TargetError> {
    let reserve = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok((socket.local_addr()?, Some(socket)))
    };
    reserve().map_err(|e: std::io::Error| TargetError::Server(format!("there is no free port: {e}")))
}

/// A port of this machine that is free just now.
fn free_port() -> Result<SocketAddr, TargetError> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    taken.map_err(|e| TargetError::Server(format!("there is no free port: {e}")))
}
