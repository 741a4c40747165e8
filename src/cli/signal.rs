//! Being told to stop while a command waits.

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

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

async fn received(kind: SignalKind) {
    // Where no handler can be installed the signal keeps its default action, which ends us as well.
    match signal(kind) {
        Ok(mut stream) => stream.recv().await,
        Err(_) => std::future::pending().await,
    };
}
