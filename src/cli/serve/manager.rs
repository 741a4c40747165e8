//! What the service manager is told, if there is one that wants to know (`NOTIFY_SOCKET`).

use sd_notify::NotifyState;

/// Clients can come.
pub(super) fn notify_ready() {
    notify(NotifyState::Ready);
}

/// It ends in order.
pub(super) fn notify_stopping() {
    notify(NotifyState::Stopping);
}

/// What its watchdog wants to hear again and again, if it has one.
pub(super) fn watchdog() -> Option<fn()> {
    sd_notify::watchdog_enabled().map(|_| feed as fn())
}

fn feed() {
    notify(NotifyState::Watchdog);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
