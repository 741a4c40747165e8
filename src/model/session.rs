//! The two lives of a session: the protocol session (`Mcp-Session-Id`) and the Archon session (analytics).

use super::word::words;

/// The beginning of a session's id, by which operators name it. A log says no more of a connection's: whoever knows the
/// whole id, and is asked for no token, can go on with the session.
pub fn beginning(id: &str) -> &str {
    id.get(..8).unwrap_or_default()
}

words! {
    /// Where a session stands. It leaves `Active` once and never comes back.
    pub enum SessionStatus, "session status" {
        /// Usable.
        Active = "active",
        /// Somebody ended it: the client, an operator.
        Disconnected = "disconnected",
        /// Its time ran out.
        Expired = "expired",
    }
}

words! {
    /// Why a session ended: the word in `disconnect_reason`. Rows written by hand may hold any other text.
    pub enum EndReason, "reason" {
        /// The client sent DELETE.
        ClientDisconnect = "client_disconnect",
        /// Idle for longer than the session timeout.
        Timeout = "timeout",
        /// Older than the greatest age allowed.
        MaxAge = "max_age",
        /// An operator ended it.
        Operator = "operator",
        /// It was idle, and gave way to a new one where there was no room.
        Evicted = "evicted",
        /// Its client was never told of it: `initialize` was answered 503.
        Error = "error",
    }
}

impl EndReason {
    /// The status that goes with it.
    pub const fn status(self) -> SessionStatus {
        match self {
            Self::Timeout | Self::MaxAge => SessionStatus::Expired,
            Self::ClientDisconnect | Self::Operator | Self::Evicted | Self::Error => SessionStatus::Disconnected,
        }
    }
}

words! {
    /// Which of the three rules gave a call its Archon session.
    pub enum SessionRule, "session rule" {
        /// 1: the client named it.
        Client = "client",
        /// 2: it was bound to the protocol session.
        Bound = "bound",
        /// 3: it was created.
        New = "new",
    }
}
