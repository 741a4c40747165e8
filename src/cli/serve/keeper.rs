//! `serve --keep-port`: a small process that holds the port while the server behind it ends and begins.
//!
//! The server is a process of its own, with the listening socket as its standard input. Whoever connects while there is none
//! waits in the socket's queue, and the next one answers. That next one is started at once, whatever ended the one before.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::FutureExt;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{sleep, sleep_until};

use crate::cli::exit::{DONE, NO, USAGE};
use crate::cli::signal::Signals;

/// The pause before a server that keeps ending is started again, at first and at most: it doubles with each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How a server whose port is kept says that another has its database. Nobody else sees this exit code.
pub(super) const IN_USE: u8 = 75;
/// Until a server has begun to listen to signals: a hang-up before that would be its end.
const FIRST_MOMENT: Duration = Duration::from_millis(500);
/// How long a look at another program may take.
const CHECK_TIME: Duration = Duration::from_mins(1);
/// A server that ran for this long is started again at once.
const SOUND: Duration = Duration::from_secs(10);

/// Holds the port, and a server behind it, until it is told to stop.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    program: Program,
    listener: TcpListener,
    signals: &'a Signals,
    /// How long a server has to stop.
    patience: Duration,
    /// Tells that a child has ended. As the first process of a container we also get those that nobody else waits for.
    ended: Stream,
}

/// What became of a server.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// It ended because we were asked to stop.
    Stopped(End),
    /// It ended because another program is to take its place.
    Replaced,
    /// It ended by itself.
    Ended(End),
}

impl<'a> Keeper<'a> {
    /// To be made where the program was started: its path may be relative to that place.
    pub(super) fn new(listener: TcpListener, signals: &'a Signals, patience: Duration) -> anyhow::Result<Self> {
        let ended = signal(SignalKind::child()).context("cannot learn of the end of a process")?;
        Ok(Self { program: Program::of_this_process()?, listener, signals, patience, ended })
    }

    /// Starts servers, one after the other. A first one that refuses its options (exit code 2) is the only one. Its database may
    /// be in use for a while by the server of a process before this one, which is ending.
    ///
    /// # Errors
    /// When the first one cannot be started.
    pub(super) async fn run(mut self) -> anyhow::Result<ExitCode> {
        tracing::info!(program = %self.program.path.display(), "the port is kept while the server restarts");
        let (mut pauses, mut is_first, beginning) = (Pauses::default(), true, Instant::now());
        loop {
            // Who begins now reads its token file anyway, and would not hear it yet.
            _ = self.signals.hung_up().now_or_never();
            let began = Instant::now();
            let outcome = match self.program.serve(&self.listener) {
                Ok(server) => self.attend(server).await,
                Err(error) if is_first => return Err(error),
                Err(error) => {
                    tracing::error!("{error:#}");
                    Outcome::Ended(End::Exited(NO.into()))
                }
            };
            match outcome {
                Outcome::Stopped(end) => return Ok(end.code()),
                Outcome::Replaced => pauses = Pauses::default(),
                Outcome::Ended(End::Exited(code)) if is_first && code == i32::from(USAGE) => {
                    return Ok(ExitCode::from(USAGE));
                }
                Outcome::Ended(End::Exited(code)) if is_first && code == i32::from(IN_USE) => {
                    if beginning.elapsed() > self.patience {
                        return Ok(ExitCode::from(USAGE));
                    }
                    if self.signals.unless_stopped(sleep(FIRST_PAUSE)).await.is_none() {
                        return Ok(ExitCode::from(DONE));
                    }
                    continue;
                }
                Outcome::Ended(end) => {
                    let pause = pauses.next(began.elapsed());
                    tracing::error!("the server {end}; it is started again {}", told(pause));
                    if self.signals.unless_stopped(sleep(pause)).await.is_none() {
                        return Ok(ExitCode::from(DONE));
                    }
                }
            }
            is_first = false;
        }
    }

    /// Waits for the end of a server, and passes on to it what we are told meanwhile.
    async fn attend(&mut self, server: Pid) -> Outcome {
        self.signals.take_along(server);
        let began = Instant::now();
        let mut doing = Doing::Serving;
        loop {
            let (check, deadline) = doing.waits_for();
            tokio::select! {
                _ = self.ended.recv() => {
                    for (child, end) in ended_children() {
                        if child == server {
                            return doing.outcome(end);
                        }
                        if check == Some(child) {
                            doing = if self.program.is_well(end) { self.stop(server, Signal::TERM, false) } else { Doing::Serving };
                        }
                    }
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                    // A check that hangs is none that was passed; a server that does not stop has had its time.
                    let late = check.unwrap_or(server);
                    tracing::error!(pid = late.as_raw_nonzero().get(), "it does not end in time: it is killed");
                    pass_on(late, Signal::KILL);
                    doing = doing.out_of_time();
                }
                () = self.signals.asked_to_stop(), if !doing.is_last() => {
                    if let Some(check) = check {
                        pass_on(check, Signal::KILL);
                    }
                    let signal = if self.signals.cause() == "interrupt" { Signal::INT } else { Signal::TERM };
                    doing = self.stop(server, signal, true);
                }
                () = self.signals.hung_up() => {
                    sleep_until((began + FIRST_MOMENT).into()).await;
                    pass_on(server, Signal::HUP);
                }
                () = self.signals.changed(), if matches!(doing, Doing::Serving) => {
                    doing = self.program.check().map_or(Doing::Serving, |check| Doing::Checking(check, Instant::now() + CHECK_TIME));
                }
            }
        }
    }

    /// Asks a server to stop in order.
    fn stop(&self, server: Pid, signal: Signal, is_last: bool) -> Doing {
        pass_on(server, signal);
        Doing::Stopping { is_last, deadline: Some(Instant::now() + self.patience) }
    }
}

/// What a server, and we with it, are at.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Serving,
    /// Another process looks whether what is to replace it is well, until then at most.
    Checking(Pid, Instant),
    /// It was asked to stop, and is killed then; not twice.
    Stopping {
        is_last: bool,
        deadline: Option<Instant>,
    },
}

impl Doing {
    /// The check that runs, and until when somebody is waited for.
    fn waits_for(self) -> (Option<Pid>, Option<Instant>) {
        match self {
            Self::Serving => (None, None),
            Self::Checking(check, deadline) => (Some(check), Some(deadline)),
            Self::Stopping { deadline, .. } => (None, deadline),
        }
    }

    fn is_last(self) -> bool {
        matches!(self, Self::Stopping { is_last: true, .. })
    }

    fn out_of_time(self) -> Self {
        match self {
            Self::Stopping { is_last, .. } => Self::Stopping { is_last, deadline: None },
            Self::Serving | Self::Checking(..) => Self::Serving,
        }
    }

    /// What the end of the server means.
    fn outcome(self, end: End) -> Outcome {
        match self {
            Self::Stopping { is_last: true, .. } => Outcome::Stopped(end),
            Self::Stopping { is_last: false, .. } => Outcome::Replaced,
            Self::Serving | Self::Checking(..) => Outcome::Ended(end),
        }
    }
}

fn pass_on(server: Pid, signal: Signal) {
    if let Err(error) = kill_process(server, signal) {
        tracing::debug!(%error, ?signal, "the server has ended");
    }
}

/// The children that have ended since the last look. Nobody else in this process waits for any.
fn ended_children() -> impl Iterator<Item = (Pid, End)> {
    std::iter::from_fn(|| wait(WaitOptions::NOHANG).ok().flatten()).map(|(child, status)| (child, End::of(status)))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Exited(i32),
    Killed(i32),
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match status.terminating_signal() {
            Some(signal) => Self::Killed(signal),
            None => Self::Exited(status.exit_status().unwrap_or_default()),
        }
    }

    /// Our own, when the server ended because we were asked to stop.
    fn code(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode::from(u8::try_from(code).unwrap_or(NO)),
            // It had not begun yet to listen to signals, and so it had not begun anything.
            Self::Killed(signal) if [Signal::TERM, Signal::INT].iter().any(|asked| asked.as_raw() == signal) => {
                ExitCode::from(DONE)
            }
            Self::Killed(_) => ExitCode::from(NO),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with exit code {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// The pauses between servers.
#[derive(Debug, Default)]
struct Pauses {
    next: Duration,
}

impl Pauses {
    /// The pause after a server that ran for that long.
    fn next(&mut self, ran: Duration) -> Duration {
        if ran >= SOUND {
            self.next = Duration::ZERO;
        }
        let pause = self.next;
        self.next = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        pause
    }
}

fn told(pause: Duration) -> String {
    if pause.is_zero() { "at once".to_owned() } else { format!("in {pause:?}") }
}

/// What stands at the path that this process was started from, whenever it is started anew.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    fn of_this_process() -> anyhow::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let path = match path_of(&name, std::env::var_os("PATH").unwrap_or_default().as_os_str()) {
            Some(path) => std::path::absolute(path),
            None => std::env::current_exe(),
        };
        Ok(Self { path: path.context("cannot find the program of this process")?, arguments: arguments.collect() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // In a process group of its own: what a terminal tells us (Ctrl-C), it hears from us, once.
        command.args(&self.arguments).process_group(0);
        // The watchdog is fed by the server, and meant for whichever process we are.
        command.env_remove("WATCHDOG_PID");
        command
    }

    fn serve(&self, listener: &TcpListener) -> anyhow::Result<Pid> {
        let socket = listener.try_clone().context("cannot hand the port over")?;
        let mut command = self.command();
        command.args(["--kept-by", &std::process::id().to_string()]).stdin(OwnedFd::from(socket));
        self.start(command)
    }

    /// Starts a look at whether the program that stands there now can serve; `None` when it does not even start.
    fn check(&self) -> Option<Pid> {
        tracing::info!(program = %self.path.display(), "SIGUSR2: the program is to be replaced by what is at its path now");
        let mut command = self.command();
        command.arg("--check").stdin(Stdio::null());
        self.start(command).inspect_err(|error| tracing::error!("{error:#}; the server goes on as it is")).ok()
    }

    /// What that look found.
    fn is_well(&self, end: End) -> bool {
        let is_well = end == End::Exited(DONE.into());
        if !is_well {
            tracing::error!("{} --check {end}; the server goes on as it is", self.path.display());
        }
        is_well
    }

    fn start(&self, mut command: Command) -> anyhow::Result<Pid> {
        // We wait for all children together, and not for this one.
        let child = command.spawn().with_context(|| format!("cannot start {}", self.path.display()))?;
        Ok(Pid::from_child(&child))
    }
}

/// Where a program of that name is found, as a shell finds it.
fn path_of(name: &OsStr, search: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    std::env::split_paths(search).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_keeps_ending_is_started_less_and_less_often() {
        let mut pauses = Pauses::default();
        let first: Vec<_> = (0..8).map(|_| pauses.next(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(first, [0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(pauses.next(Duration::from_secs(1)), LONGEST_PAUSE);
        assert_eq!(pauses.next(SOUND), Duration::ZERO, "it was sound");
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let search = OsStr::new("/nowhere:/usr/bin:/bin");
        assert_eq!(path_of(OsStr::new("./archonctl"), search), Some("./archonctl".into()));
        assert_eq!(path_of(OsStr::new("target/debug/archonctl"), search), Some("target/debug/archonctl".into()));
        assert!(path_of(OsStr::new("sh"), search).is_some_and(|path| path.ends_with("sh") && path.is_absolute()));
        assert_eq!(path_of(OsStr::new("no-such-program"), search), None);
    }
}
