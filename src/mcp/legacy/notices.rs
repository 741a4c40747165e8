//! Notifications of clients.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mcp::{Caller, Engine};
use crate::protocol::frame::Notification;

/// `params` of `notifications/cancelled`.
#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(rename = "requestId", borrow)]
    request_id: &'a RawValue,
}

impl Engine {
    /// Takes note of a notification.
    pub(in crate::mcp) fn notice(&self, caller: &Caller, note: &Notification<'_>) {
        if note.method == "notifications/cancelled"
            && let Some(cancelled) = note.params.and_then(|params| Cancelled::deserialize(params).ok())
        {
            let id = cancelled.request_id.get();
            let count = caller.visitor.runs().cancel(id);
            tracing::debug!(session = %caller.visitor.id(), request = id, count, "cancelled by the client");
            if count == 0 {
                self.sessions.cancel_elsewhere(caller.visitor.live(), id);
            }
        }
    }
}
