//! Why a request is refused.

use super::word::words;

words! {
    /// Why a request is refused: the word in logs, metrics and events. It may say more than the client is told: who asks for
    /// another's session learns as much as who asks for none.
    pub enum Reason, "reason of a refusal" {
        /// It names no session.
        NoSession = "session_required",
        /// No session of that id was ever issued here, or it is forgotten.
        Unknown = "session_unknown",
        /// Its session was ended: by its client, by an operator, because another took its place.
        Ended = "session_ended",
        /// Its session's time was over.
        Expired = "session_expired",
        /// Its session is another principal's.
        Foreign = "session_foreign",
        /// What it names cannot be an id.
        Malformed = "session_malformed",
        /// It names two sessions.
        TwoSessions = "two_sessions",
        /// It has no token.
        NoToken = "no_token",
        /// Its token is not known here.
        WrongToken = "wrong_token",
        /// It comes by a name that this server does not answer to.
        ForeignHost = "foreign_host",
        /// It comes from a page that may not use this server.
        ForeignOrigin = "foreign_origin",
        /// The database does not answer, or does not keep up.
        Unavailable = "unavailable",
        /// There is room for no more sessions, or no more of its principal.
        Full = "full",
        /// It comes too fast, or too many run at once.
        TooMany = "too_many",
        /// It is not JSON-RPC as MCP has it.
        BadMessage = "bad_message",
        /// It is of a revision that this server does not speak.
        Revision = "revision",
        /// It is not HTTP as MCP has it.
        BadRequest = "bad_request",
        /// It broke on the server's side.
        Broke = "internal_error",
    }
}

impl Reason {
    /// Whether it is about the form of the request alone: so clients find out what a server speaks, and browsers whether there
    /// is an icon.
    pub const fn is_of_form(self) -> bool {
        matches!(self, Self::Revision | Self::BadRequest)
    }

    /// Whether it is about the session that it names, so that its client may be stuck.
    pub const fn is_of_session(self) -> bool {
        matches!(
            self,
            Self::NoSession
                | Self::Unknown
                | Self::Ended
                | Self::Expired
                | Self::Foreign
                | Self::Malformed
                | Self::TwoSessions
        )
    }
}
