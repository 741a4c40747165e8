//! Every refusal of a message: what kind it is, and a JSON-RPC body that says what happened and what to do next.

use uuid::Uuid;

use super::answer::{Answer, AnswerKind};
use super::{Caller, Engine, Head, SessionName};
use crate::model::principal::Principal;
use crate::model::refused::Reason;
use crate::model::session::EndReason;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, INVALID_REQUEST, REFUSED, SESSION_NOT_FOUND};
use crate::protocol::frame::FrameError;
use crate::protocol::reply;
use crate::session::{Cap, SessionError};
use crate::store::sessions::Ended;

/// A message that is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: Reason,
    kind: AnswerKind,
    /// The request's id as raw JSON, where it could be read.
    id: Option<String>,
    body: ErrorBody,
    /// The Archon session, where the request came in one.
    archon: Option<Uuid>,
    /// Seconds after which to come back.
    retry_after: Option<u32>,
}

/// What the person in front of the client can do; the client's own part is [`INITIALIZE`].
const RECONNECT: &str = "reconnect this server in the client, which then calls initialize and gets a new one";
const INITIALIZE: &str = "call initialize without a session id, and use the Mcp-Session-Id of its answer";

impl Refusal {
    fn new(kind: AnswerKind, reason: Reason, body: ErrorBody) -> Self {
        Self { reason, kind, id: None, body, archon: None, retry_after: None }
    }

    pub(super) fn for_request(mut self, id: Option<&str>) -> Self {
        self.id = self.id.or_else(|| id.map(ToOwned::to_owned));
        self
    }

    pub(super) fn in_session(self, caller: &Caller) -> Self {
        Self { archon: Some(caller.visitor.live().archon_id()), ..self }
    }

    pub(super) fn modern() -> Self {
        let fact = "this server speaks MCP revisions up to 2025-11-25";
        let body = ErrorBody::told(REFUSED, fact, "let the client fall back to initialize")
            .because("legacy_only", "fall back to initialize");
        Self::new(AnswerKind::Invalid, Reason::Revision, body)
    }

    pub(super) fn version() -> Self {
        let fact = "the MCP-Protocol-Version header names a revision that this server does not speak";
        let way_out = "use the revision that initialize agreed on, or leave the header out";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("unsupported_version", way_out);
        Self::new(AnswerKind::Invalid, Reason::Revision, body)
    }

    fn two_sessions() -> Self {
        let way_out = "send Mcp-Session-Id once; X-MCP-Session-Id is an alias of it";
        let body = ErrorBody::told(REFUSED, "two session ids that differ", way_out).because("two_sessions", way_out);
        Self::new(AnswerKind::Invalid, Reason::TwoSessions, body)
    }

    /// It begins with the sentence that clients of the original know, so that they see it for what it is.
    fn no_session() -> Self {
        let body = ErrorBody::told(REFUSED, "Bad Request: No valid session ID provided", RECONNECT)
            .because("session_required", INITIALIZE);
        Self::new(AnswerKind::Invalid, Reason::NoSession, body)
    }

    pub(super) fn batch() -> Self {
        let way_out = "send one message a request";
        let body =
            ErrorBody::told(INVALID_REQUEST, "only revision 2025-03-26 has batches", way_out).because("batch", way_out);
        Self::new(AnswerKind::Invalid, Reason::BadMessage, body)
    }

    pub(super) fn initialize_in_batch() -> Self {
        let body = ErrorBody::told(INVALID_REQUEST, "initialize cannot be part of a batch", "send it alone")
            .because("batch", "send it alone");
        Self::new(AnswerKind::Invalid, Reason::BadMessage, body)
    }

    pub(super) fn busy(fact: &'static str) -> Self {
        let way_out = "try again in a moment; the session is kept";
        let body = ErrorBody::told(REFUSED, fact, way_out).because("unavailable", way_out);
        Self { retry_after: Some(1), ..Self::new(AnswerKind::Unavailable, Reason::Unavailable, body) }
    }

    pub(super) fn behind() -> Self {
        Self::busy("the database does not keep up; no tool was run")
    }

    /// The whole server is full, or it is this client's own doing.
    fn capped(cap: Cap) -> Self {
        let (kind, reason, hint, seconds) = match cap {
            Cap::Sessions(_) => {
                (AnswerKind::Unavailable, "full", "try again later; sessions end by DELETE or when idle", 5)
            }
            Cap::PerPrincipal(_) => {
                (AnswerKind::TooMany, "too_many_sessions", "use a session again, or end one with DELETE", 5)
            }
            Cap::PerHour(most) => {
                let until_next = 3600_u64.div_ceil(most).try_into().unwrap_or(1);
                (AnswerKind::TooMany, "too_many_sessions", "keep a session and use it again", until_next)
            }
            Cap::DatabaseSize(_) | Cap::DiskSpace(_) => {
                let hint = "try again later, or tell its operator that the database needs space";
                (AnswerKind::Unavailable, "no_space", hint, 60)
            }
            Cap::Rate(_) => (AnswerKind::TooMany, "too_fast", "keep the session and use it again", 1),
        };
        let body = ErrorBody::told(REFUSED, format_args!("No new session: {cap}"), hint).because(reason, hint);
        let why = if matches!(cap, Cap::Rate(_)) { Reason::TooMany } else { Reason::Full };
        Self { retry_after: Some(seconds), ..Self::new(kind, why, body) }
    }

    pub(super) fn panicked() -> Self {
        let way_out = "tell its operator, whose log says more; the session is kept";
        let body = ErrorBody::told(INTERNAL_ERROR, "this request broke on the server's side", way_out)
            .because("internal_error", "report it with the server's log; the session is kept");
        Self::new(AnswerKind::Broke, Reason::Broke, body)
    }

    fn ended(ended: &Ended) -> Self {
        let at = ended.at.map(|at| at.to_string());
        let when = at.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
        let why =
            if ended.reason.is_empty() { String::new() } else { format!(": {} by {}", ended.reason, ended.who()) };
        let is_for_time = ended.reason == EndReason::Timeout.as_str() || ended.reason == EndReason::MaxAge.as_str();
        let reason = if is_for_time { Reason::Expired } else { Reason::Ended };
        let mut refusal = Self::gone(reason, format!("Session not found: it ended{when}{why}"), "session_ended");
        if let Some(data) = &mut refusal.body.data {
            data.ended_at = at;
            data.ended_by = (!ended.by.is_empty()).then(|| ended.who().to_owned());
        }
        refusal
    }

    fn unknown(reason: Reason) -> Self {
        Self::gone(reason, "Session not found".to_owned(), "session_unknown")
    }

    fn gone(reason: Reason, message: String, told: &'static str) -> Self {
        let body = ErrorBody::told(SESSION_NOT_FOUND, message, RECONNECT).because(told, INITIALIZE);
        Self::new(AnswerKind::NoSession, reason, body)
    }
}

impl Engine {
    /// The answer of a refusal, which is noted.
    pub(super) fn refused(&self, head: &Head, principal: &Principal, refusal: Refusal) -> Answer {
        self.sessions.note_refused(&head.refused(refusal.reason, &principal.name, &refusal.body.message));
        refusal.into()
    }
}

impl SessionName {
    /// The id, where a message needs one.
    pub(super) fn needed(&self) -> Result<&str, Refusal> {
        self.if_any()?.ok_or_else(Refusal::no_session)
    }

    /// The id, where one may come along.
    pub(super) fn if_any(&self) -> Result<Option<&str>, Refusal> {
        match self {
            Self::None => Ok(None),
            Self::Named(id) => Ok(Some(id)),
            Self::Two => Err(Refusal::two_sessions()),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: refusal.kind,
            body: reply::error(refusal.id.as_deref(), &refusal.body),
            archon: refusal.archon,
            retry_after: refusal.retry_after,
            ..Self::default()
        }
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        Self { id: error.id, ..Self::new(AnswerKind::Invalid, Reason::BadMessage, error.body) }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        match error {
            // Who asks for another's session learns as much as who asks for none.
            SessionError::Malformed => Self::unknown(Reason::Malformed),
            SessionError::Unknown => Self::unknown(Reason::Unknown),
            SessionError::Foreign => Self::unknown(Reason::Foreign),
            SessionError::Ended(ended) => Self::ended(&ended),
            SessionError::Capped(cap) => Self::capped(cap),
            SessionError::Unavailable(error) => {
                tracing::debug!(%error, "a session could not be checked");
                Self::busy("the session store does not answer now")
            }
        }
    }
}
