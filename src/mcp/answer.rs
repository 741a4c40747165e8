//! The answer to one message.

use std::sync::Arc;

use uuid::Uuid;

use super::Recorded;

/// What kind of answer it is: the transport makes a status of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnswerKind {
    /// The request was handled: a result, or an error of its method.
    #[default]
    Handled,
    /// It wanted no answer.
    Accepted,
    /// It is no message, or not one for here.
    Invalid,
    /// Its session is unknown, has ended, or is somebody else's.
    NoSession,
    /// The client asks for too much.
    TooMany,
    /// It cannot be served now.
    Unavailable,
    /// Something broke on our side.
    Broke,
}

/// An answer to a request, or why there is none.
#[derive(Debug, Default)]
pub struct Answer {
    /// What kind it is.
    pub kind: AnswerKind,
    /// The JSON-RPC response; empty where none was wanted.
    pub body: Vec<u8>,
    /// The protocol session, when the request opened it.
    pub session: Option<Arc<str>>,
    /// The Archon session that the request belongs to.
    pub archon: Option<Uuid>,
    /// Where the request's row was when the answer left.
    pub recorded: Recorded,
    /// Seconds after which to come back.
    pub retry_after: Option<u32>,
}

impl Answer {
    /// It wanted no answer.
    pub(super) fn accepted(archon: Uuid) -> Self {
        Self { kind: AnswerKind::Accepted, archon: Some(archon), ..Self::default() }
    }
}
