//! The two lives of a session: the protocol session (`Mcp-Session-Id`) and the Archon session (analytics).

use std::fmt;
use std::str::FromStr;

/// Where a session stands. It leaves `Active` once and never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Usable.
    Active,
    /// Somebody ended it: the client, an operator.
    Disconnected,
    /// Its time ran out.
    Expired,
}

impl SessionStatus {
    /// The word in the `status` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disconnected => "disconnected",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for SessionStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Active, Self::Disconnected, Self::Expired]
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| format!("unknown session status {text:?}"))
    }
}

/// Why a session ended: the word in `disconnect_reason`. Rows written by hand may hold any other text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The client sent DELETE.
    ClientDisconnect,
    /// Idle for longer than the session timeout.
    Timeout,
    /// Older than the greatest age allowed.
    MaxAge,
    /// An operator ended it.
    Operator,
    /// It was idle, and gave way to a new one where there was no room.
    Evicted,
    /// Its client was never told of it: `initialize` was answered 503.
    Error,
}

impl EndReason {
    /// The word in the `disconnect_reason` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client_disconnect",
            Self::Timeout => "timeout",
            Self::MaxAge => "max_age",
            Self::Operator => "operator",
            Self::Evicted => "evicted",
            Self::Error => "error",
        }
    }

    /// The status that goes with it.
    pub const fn status(self) -> SessionStatus {
        match self {
            Self::Timeout | Self::MaxAge => SessionStatus::Expired,
            Self::ClientDisconnect | Self::Operator | Self::Evicted | Self::Error => SessionStatus::Disconnected,
        }
    }
}

/// Which of the three rules gave a call its Archon session (guide, "Client Session ID Validation").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionRule {
    /// 1: the client named it.
    Client,
    /// 2: it was bound to the protocol session.
    Bound,
    /// 3: it was created.
    New,
}

impl SessionRule {
    /// The word in the `session_rule` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Bound => "bound",
            Self::New => "new",
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
