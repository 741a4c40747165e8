//! Being told to stop: a command that waits, and the server.

use std::sync::{Arc, OnceLock};

use humantime::parse_duration;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

use crate::model::clock::Clock;

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

/// Returns when the terminal is gone (SIGHUP). From the first poll on the signal does nothing else.
pub(super) async fn hung_up() {
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

/// Done on SIGTERM, SIGINT, or the end of standard input where that is the clock.
pub(super) fn stop_signal(
    cause: Arc<OnceLock<&'static str>>,
    test_clock: Option<Clock>,
) -> impl Future<Output = ()> + Send + 'static {
    // Caught from now on, not from the first poll on: a signal in between would end us as a crash does.
    let of = |kind, word: &'static str| {
        let caught = signal(kind);
        async move {
            match caught {
                Ok(mut signal) => _ = signal.recv().await,
                // Without a handler the signal ends the process by itself.
                Err(_) => std::future::pending().await,
            }
            word
        }
    };
    let (terminated, interrupted) = (of(SignalKind::terminate(), "clean"), of(SignalKind::interrupt(), "interrupt"));
    let clock = async {
        match test_clock {
            Some(clock) => follow_standard_input(&clock).await,
            None => std::future::pending().await,
        }
        "clean"
    };
    async move {
        let word = tokio::select! {
            word = terminated => word,
            word = interrupted => word,
            word = clock => word,
        };
        // Set once, here.
        _ = cause.set(word);
        tracing::info!(cause = word, "stopping");
    }
}

/// `advance 65m` moves the clock; anything else is said to be nothing that is known.
async fn follow_standard_input(clock: &Clock) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(Ok(by)) = line.trim().strip_prefix("advance ").map(parse_duration) {
            clock.advance(by);
            tracing::info!("clock advanced by {by:?}");
        } else {
            tracing::warn!("not a clock command: {line:?}; there is: advance 65m");
        }
    }
}
