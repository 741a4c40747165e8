//! What signals ask of a server that goes on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::signal::Signals;
use crate::server::App;
use crate::session::Sessions;

/// Reads the token file again whenever SIGHUP asks for it.
pub(super) fn follow_hang_ups(file: Option<PathBuf>, app: &Arc<App>, sessions: &Sessions, signals: &Signals) {
    let (app, signals) = (app.clone(), signals.clone());
    sessions.supervisor().keep("token file", move |stopping| {
        let (file, app, signals) = (file.clone(), app.clone(), signals.clone());
        async move {
            while stopping.or(signals.hung_up()).await.is_some() {
                if let Some(file) = &file {
                    app.read_principals(file).await;
                } else {
                    tracing::info!("SIGHUP: there is no token file to read again");
                }
            }
        }
    });
}

/// Says that SIGUSR2 is for the process that keeps the port.
pub(super) fn follow_changes(sessions: &Sessions, signals: &Signals) {
    let signals = signals.clone();
    sessions.supervisor().keep("changes", move |stopping| {
        let signals = signals.clone();
        async move {
            while stopping.or(signals.changed()).await.is_some() {
                tracing::info!("SIGUSR2 ignored: send it to the first process of a `serve --keep-port`");
            }
        }
    });
}
