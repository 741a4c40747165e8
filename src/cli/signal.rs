//! Being told to stop: a command that waits, and the server.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use humantime::parse_duration;
use rustix::process::{Pid, Signal as ProcessSignal, getppid, kill_process};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::exit::{INTERRUPTED, TERMINATED};
use crate::model::boot::EndCause;
use crate::model::clock::Clock;

/// How often a server looks whether the process that keeps its port is there.
const KEEPER_LOOK: Duration = Duration::from_millis(100);

/// The signal that ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Interrupted {
    /// SIGINT: Ctrl-C.
    #[error("interrupted")]
    Interrupt,
    /// SIGTERM.
    #[error("terminated")]
    Terminate,
}

/// Returns when this process is asked to stop. From the first poll on the signals do nothing else.
pub(super) async fn interrupted() -> Interrupted {
    tokio::select! {
        () = received(SignalKind::interrupt()) => Interrupted::Interrupt,
        () = received(SignalKind::terminate()) => Interrupted::Terminate,
    }
}

/// Returns when the terminal is gone (SIGHUP). From the first poll on the signal does nothing else. Whoever started us
/// under nohup does not want to hear of it.
pub(super) async fn hung_up() {
    if ignores_hang_up() {
        return std::future::pending().await;
    }
    received(SignalKind::hangup()).await;
}

/// A file that may not grow (a limit of the service manager, `ulimit -f`) is an error that we handle, not the end of the
/// process, which is what SIGXFSZ does to who does not catch it.
pub(super) fn outlive_full_files() {
    /// SIGXFSZ on Linux and macOS.
    const FILE_SIZE: i32 = 25;
    // The handler stays when its stream goes. Where there can be none, all is as without us.
    _ = signal(SignalKind::from_raw(FILE_SIZE));
}

/// Waits for a piece of work, or for being asked to stop. The signals are caught before the work begins.
pub(super) async fn or_interrupted<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        biased;
        signal = interrupted() => Err(signal.into()),
        done = work => done,
    }
}

async fn received(kind: SignalKind) {
    // Where no handler can be installed the signal keeps its default action, which ends us as well.
    match signal(kind) {
        Ok(mut stream) => stream.recv().await,
        Err(_) => std::future::pending().await,
    };
}

/// The signals of a server, caught from its first moment on: SIGTERM and SIGINT stop it in order, the second of them stops
/// it at once; SIGHUP asks it to read its token file again, or tells that its terminal has gone, which stops it, too; SIGUSR2
/// asks for another program in its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    stop: CancellationToken,
    cause: Arc<OnceLock<EndCause>>,
    hang_up: Arc<Notify>,
    change: Arc<Notify>,
    /// A process keeps our port: it, and no terminal of ours, decides when we stop.
    is_kept: Arc<AtomicBool>,
    /// The process that goes with us when we are stopped at once; zero where there is none.
    companion: Arc<AtomicI32>,
    /// Standard input, which whoever started us holds open, has ended.
    is_left_alone: Arc<AtomicBool>,
}

impl Signals {
    /// Catches them; the caller is within a runtime.
    pub(super) fn catch() -> Self {
        let signals = Self::default();
        // First: whether a signal was ignored cannot be seen any more when it is caught.
        let terminal = Terminal::of_process();
        let kinds =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::user_defined2()];
        let caught = kinds.map(signal);
        let following = signals.clone();
        tokio::spawn(async move {
            let [mut terminate, mut interrupt, mut hang_up, mut change] = caught.map(Result::ok);
            loop {
                let signal = tokio::select! {
                    () = next(&mut terminate) => Interrupted::Terminate,
                    () = next(&mut interrupt) => Interrupted::Interrupt,
                    () = next(&mut hang_up) => {
                        if terminal.has_gone() && !following.is_kept.load(SeqCst) {
                            following.stop(EndCause::Clean);
                        } else {
                            following.hang_up.notify_one();
                        }
                        continue;
                    }
                    () = next(&mut change) => {
                        following.change.notify_one();
                        continue;
                    }
                };
                following.asked(signal);
            }
        });
        signals
    }

    /// The first time it stops in order.
    fn asked(&self, signal: Interrupted) {
        let (cause, code) = match signal {
            Interrupted::Terminate => (EndCause::Clean, TERMINATED),
            Interrupted::Interrupt => (EndCause::Interrupt, INTERRUPTED),
        };
        if self.stop.is_cancelled() {
            tracing::warn!("asked to stop again: stopped at once");
            if let Some(companion) = Pid::from_raw(self.companion.load(SeqCst)) {
                // It may have ended meanwhile.
                _ = kill_process(companion, ProcessSignal::KILL);
            }
            std::process::exit(code.into());
        }
        self.stop(cause);
    }

    fn stop(&self, cause: EndCause) {
        // The first one counts.
        if self.cause.set(cause).is_ok() {
            tracing::info!(%cause, "stopping");
            self.stop.cancel();
        }
    }

    /// Why it stops, in the word of the record of boots.
    pub(super) fn cause(&self) -> EndCause {
        self.cause.get().copied().unwrap_or(EndCause::Clean)
    }

    /// Runs something that a stop cuts off; `None` when it does.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    /// Returns when it is to stop.
    pub(super) async fn asked_to_stop(&self) {
        self.stop.cancelled().await;
    }

    /// The end of the process that keeps our port is as good as a SIGTERM: nobody would start us again.
    pub(super) fn go_with(&self, keeper: u32) {
        self.is_kept.store(true, SeqCst);
        let signals = self.clone();
        tokio::spawn(async move {
            let keeper = i32::try_from(keeper).ok().and_then(Pid::from_raw);
            // There is no event for it that every system has.
            while getppid() == keeper {
                tokio::time::sleep(KEEPER_LOOK).await;
            }
            signals.asked(Interrupted::Terminate);
        });
    }

    /// From now on that process ends when we are stopped at once.
    pub(super) fn take_along(&self, companion: Pid) {
        self.companion.store(companion.as_raw_nonzero().get(), SeqCst);
    }

    /// Returns when another program is to take the place of this one.
    pub(super) async fn changed(&self) {
        self.change.notified().await;
    }

    /// Returns when the token file is to be read again.
    pub(super) async fn hung_up(&self) {
        self.hang_up.notified().await;
    }

    /// Whether standard input has ended where that stops the server.
    pub(super) fn is_left_alone(&self) -> bool {
        self.is_left_alone.load(SeqCst)
    }

    /// Done when the server is to stop: by a signal, or by the end of standard input where lines for the clock come by it.
    pub(super) fn stopped(&self, followed_by: Option<Clock>) -> impl Future<Output = ()> + Send + 'static {
        let signals = self.clone();
        async move {
            let input = async {
                match followed_by {
                    Some(clock) => follow_standard_input(&clock).await,
                    None => std::future::pending().await,
                }
            };
            if signals.unless_stopped(input).await.is_some() {
                signals.is_left_alone.store(true, SeqCst);
                signals.stop(EndCause::Clean);
            }
        }
    }
}

/// Waits for a signal. Where no handler could be installed, it keeps its default action, which ends us by itself.
async fn next(caught: &mut Option<Signal>) {
    match caught {
        Some(stream) => _ = stream.recv().await,
        None => std::future::pending().await,
    }
}

/// The terminal that a process hangs on, as it was at the start.
#[derive(Debug, Clone, Copy)]
struct Terminal {
    was_there: bool,
}

impl Terminal {
    fn of_process() -> Self {
        // Whoever starts us under nohup does not want us to go with the terminal.
        Self { was_there: Self::is_there() && !ignores_hang_up() }
    }

    fn has_gone(self) -> bool {
        self.was_there && !Self::is_there()
    }

    /// The system's name for whichever terminal controls this process: it can be opened only while there is one.
    fn is_there() -> bool {
        std::fs::File::open("/dev/tty").is_ok()
    }
}

/// Whether SIGHUP was ignored when the process began.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// A test's clock, by lines: `advance 65m` moves both clocks, `step -2h` sets the wall clock alone, `freeze 9s` is time in
/// which nothing ran. Anything else is said to be nothing that is known.
async fn follow_standard_input(clock: &Clock) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let (command, time) = line.trim().split_once(' ').unwrap_or_default();
        let is_back = time.starts_with('-');
        match (command, parse_duration(time.trim_start_matches(['+', '-']))) {
            ("advance", Ok(by)) if !is_back => {
                clock.advance(by);
                tracing::info!("clock advanced by {by:?}");
            }
            ("step", Ok(by)) => {
                let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
                clock.step(if is_back { -millis } else { millis });
                tracing::info!("wall clock set {} by {by:?}", if is_back { "back" } else { "ahead" });
            }
            ("freeze", Ok(by)) if !is_back => {
                clock.freeze(by);
                tracing::info!("clock frozen for {by:?}");
            }
            _ => tracing::warn!("not a clock command: {line:?}; there are: advance 65m, step -2h, freeze 9s"),
        }
    }
}
