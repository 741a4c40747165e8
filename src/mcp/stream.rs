//! A request that is answered by a stream: messages of its own, and then the answer.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::answer::Answer;
use super::refusal::Refusal;
use crate::catalog::Listener;

/// A request that runs, and what it says.
pub struct Stream {
    /// The call goes on in a task of its own: whoever reads slowly holds up neither its time limit nor its row.
    call: Option<oneshot::Receiver<Answer>>,
    listener: Listener,
    archon: Uuid,
    /// The answer is there, and messages from before it are not all taken.
    last: Option<Answer>,
}

/// What a stream gives.
#[derive(Debug)]
pub enum Said {
    /// A notification or a question of ours.
    Message(Vec<u8>),
    /// The answer: the last that it gives.
    Answer(Answer),
}

impl Stream {
    /// What was said just before the answer, and then the answer.
    pub(super) fn of_answer(answer: Answer, listener: Listener, archon: Uuid) -> Self {
        Self { call: None, listener, archon, last: Some(answer) }
    }

    /// What the call says until its answer comes, and then the answer.
    pub(super) fn of_call(call: oneshot::Receiver<Answer>, listener: Listener, archon: Uuid) -> Self {
        Self { call: Some(call), listener, archon, last: None }
    }

    /// The Archon session under which the request is recorded.
    pub fn archon(&self) -> Uuid {
        self.archon
    }

    /// The next message, or the answer; none after that.
    pub async fn next(&mut self) -> Option<Said> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Said>> {
        // Before its messages are taken: what it says while it is polled is among them.
        if let Some(call) = &mut self.call
            && let Poll::Ready(answer) = Pin::new(call).poll(context)
        {
            self.call = None;
            self.last = Some(answer.unwrap_or_else(|_| Refusal::panicked().into()));
        }
        if let Poll::Ready(message) = self.listener.poll_next(context) {
            return Poll::Ready(Some(Said::Message(message)));
        }
        match (self.last.take(), &self.call) {
            (Some(answer), _) => Poll::Ready(Some(Said::Answer(answer))),
            (None, None) => Poll::Ready(None),
            (None, Some(_)) => Poll::Pending,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("archon", &self.archon).finish_non_exhaustive()
    }
}
