//! Batches, which 2025-03-26 alone has: requests are answered side by side, in the order in which they came.

use futures_util::future::join_all;

use crate::mcp::answer::{Answer, AnswerKind};
use crate::mcp::refusal::Refusal;
use crate::mcp::{Caller, Engine, Head};
use crate::protocol::frame::{FrameError, Message};

type Member<'a> = Result<Message<'a>, FrameError>;

/// Answers all of it in one answer.
pub(in crate::mcp) async fn batch(engine: &Engine, caller: &Caller, head: &Head, members: Vec<Member<'_>>) -> Answer {
    let answers = members.into_iter().map(async |member| {
        let answered = answer(engine, caller, member).await;
        answered.unwrap_or_else(|refusal| Some(engine.refused(head, &caller.principal, refusal)))
    });
    let answers = join_all(answers).await;
    // What a tool call of it has told, else the session's own.
    let archon = caller.exchange.archon().unwrap_or_else(|| caller.visitor.live().archon_id());
    let mut whole = Answer { archon: Some(archon), ..Answer::default() };
    for answer in answers.into_iter().flatten() {
        whole.body.push(if whole.body.is_empty() { b'[' } else { b',' });
        whole.body.extend_from_slice(&answer.body);
        whole.recorded = whole.recorded.max(answer.recorded);
    }
    if whole.body.is_empty() {
        whole.kind = AnswerKind::Accepted;
    } else {
        whole.body.push(b']');
    }
    whole
}

async fn answer(engine: &Engine, caller: &Caller, member: Member<'_>) -> Result<Option<Answer>, Refusal> {
    match member {
        Ok(Message::Request(request)) if request.method == "initialize" => {
            Err(Refusal::initialize_in_batch().for_request(Some(request.id.get())))
        }
        Ok(Message::Request(request)) => {
            let answered = engine.answer(caller, &request).await;
            answered.map(Some).map_err(|_| Refusal::behind().for_request(Some(request.id.get())))
        }
        Ok(Message::Notification(note)) => {
            engine.notice(caller, &note);
            Ok(None)
        }
        Ok(Message::Response(response)) => {
            engine.outbox.questions().answer(caller.visitor.id(), &response);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
