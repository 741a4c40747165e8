//! `serve --keep-port`: a small process that holds the port while the server behind it ends and begins.
//!
//! The server is a process of its own, with the listening socket as its standard input. Whoever connects while there is none
//! waits in the socket's queue, and the next one answers. That next one is started at once, whatever ended the one before.

mod end;
mod program;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::FutureExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{sleep, sleep_until};

use crate::cli::exit::{DONE, NO, USAGE};
use crate::cli::signal::Signals;
use crate::model::boot::EndCause;
use end::{End, ended_children};
use program::Program;

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

impl Outcome {
    /// How it ended, if nobody asked it to.
    fn by_itself(self) -> Option<End> {
        match self {
            Self::Ended(end) => Some(end),
            Self::Stopped(_) | Self::Replaced => None,
        }
    }
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
        tracing::info!(program = %self.program.shown(), "the port is kept while the server restarts");
        let (mut pauses, mut is_first, beginning) = (Pauses::default(), true, Instant::now());
        let mut former = None;
        loop {
            // Who begins now reads its token file anyway, and would not hear it yet.
            _ = self.signals.hung_up().now_or_never();
            let began = Instant::now();
            let outcome = match self.program.serve(&self.listener, former) {
                Ok(server) => {
                    let outcome = self.attend(server).await;
                    former = outcome.by_itself().map(|end| (server, end));
                    outcome
                }
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
                    let signal = if self.signals.cause() == EndCause::Interrupt { Signal::INT } else { Signal::TERM };
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
}
