//! What goes back to a transport.

use uuid::Uuid;

use super::answer::{Answer, AnswerKind};
use super::stream::Stream;

/// What a message is answered with.
#[derive(Debug)]
pub enum Outgoing {
    /// It wanted no answer, and was taken. The Archon session that it belongs to.
    Accepted(Option<Uuid>),
    /// The answer.
    Now(Answer),
    /// Messages, and then the answer.
    Stream(Stream),
}

impl From<Answer> for Outgoing {
    fn from(answer: Answer) -> Self {
        if answer.kind == AnswerKind::Accepted { Self::Accepted(answer.archon) } else { Self::Now(answer) }
    }
}
