//! How long a request is waited for before its answer becomes a stream.
//!
//! What is refused has a status and headers of its own, and so has a session that is opened; a stream has sent its head
//! before. So no stream begins before the request's session was found valid and it is known under which Archon session
//! the request is recorded; the time that a client waits in silence counts from there. `initialize` is never a stream: it
//! answers with an id or not at all.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::answer::Answer;
use super::detached::Detached;
use super::outgoing::Outgoing;
use super::refusal::Refusal;
use super::stream::Stream;
use crate::catalog::Listener;

/// Waits for the answer, or until a stream begins: when there is something to say before it, or the client has waited in
/// silence for that long.
pub(super) async fn answered(
    call: Detached<Answer>,
    listener: Listener,
    silence: Option<Duration>,
    orphans: &TaskTracker,
) -> Outgoing {
    let mut call = call;
    let begun = until_begun(&mut call, &listener, silence).await;
    match begun {
        Begun::Answered(answer) if listener.has_news() && answer.archon.is_some() => {
            // Said just before the answer, and it is said first.
            let archon = answer.archon.unwrap_or_default();
            Outgoing::Stream(Stream::of_answer(answer, listener, archon))
        }
        Begun::Answered(answer) => answer.into(),
        Begun::Stream(archon) => {
            let (tell, told) = oneshot::channel();
            orphans.spawn(async move {
                // Its client may have hung up.
                _ = tell.send(call.await.unwrap_or_else(|| Refusal::panicked().into()));
            });
            Outgoing::Stream(Stream::of_call(told, listener, archon))
        }
    }
}

/// How the wait ends.
enum Begun {
    Answered(Answer),
    /// In this Archon session.
    Stream(Uuid),
}

async fn until_begun(call: &mut Detached<Answer>, listener: &Listener, silence: Option<Duration>) -> Begun {
    let mut call = pin!(call);
    let mut pause = pin!(None);
    let mut is_over = false;
    poll_fn(|context| {
        // First: what it says is said while it is polled, so nobody has to wake us for that.
        if let Poll::Ready(answer) = call.as_mut().poll(context) {
            return Poll::Ready(Begun::Answered(answer.unwrap_or_else(|| Refusal::panicked().into())));
        }
        let exchange = listener.exchange();
        if !exchange.is_admitted() {
            return Poll::Pending;
        }
        if pause.is_none() {
            pause.set(silence.map(tokio::time::sleep));
        }
        if let Some(pause) = pause.as_mut().as_pin_mut().filter(|_| !is_over) {
            is_over = pause.poll(context).is_ready();
        }
        match exchange.archon() {
            Some(archon) if is_over || listener.wakes(context) => Poll::Ready(Begun::Stream(archon)),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Exchange;
    use crate::mcp::stream::Said;
    use futures_util::FutureExt;

    const LIMIT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn no_stream_begins_before_its_session_is_known() {
        let exchange = Arc::new(Exchange::default());
        let ((admit, admitted), (bind, bound)) = (oneshot::channel::<()>(), oneshot::channel::<Uuid>());
        let telling = exchange.clone();
        let call = async move {
            admitted.await.expect("a session");
            telling.admit();
            telling.set_archon(bound.await.expect("bound"));
            std::future::pending().await
        };
        let call = Detached::new(call, &TaskTracker::new());
        let orphans = TaskTracker::new();
        let mut outgoing = pin!(answered(call, exchange.listen(), Some(LIMIT), &orphans));
        tokio::time::sleep(LIMIT * 4).await;
        assert!(outgoing.as_mut().now_or_never().is_none(), "it may still be refused");
        admit.send(()).expect("waits");
        assert!(outgoing.as_mut().now_or_never().is_none(), "the silence begins only now");
        tokio::time::sleep(LIMIT * 2).await;
        assert!(outgoing.as_mut().now_or_never().is_none(), "its Archon session is not known");
        bind.send(Uuid::max()).expect("waits");
        assert!(matches!(outgoing.await, Outgoing::Stream(stream) if stream.archon() == Uuid::max()));
    }

    /// A call that says these things, with a pause before its answer or none.
    fn saying(exchange: &Arc<Exchange>, words: &'static [&'static str], pause: Duration) -> Detached<Answer> {
        exchange.admit();
        exchange.set_archon(Uuid::nil());
        let exchange = exchange.clone();
        let call = async move {
            for word in words {
                exchange.say(word.as_bytes().to_vec());
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Answer { body: b"answer".to_vec(), archon: Some(Uuid::nil()), ..Answer::default() }
        };
        Detached::new(call, &TaskTracker::new())
    }

    async fn all(mut stream: Stream) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(next) = stream.next().await {
            let (Said::Message(text) | Said::Answer(Answer { body: text, .. })) = next;
            said.push(String::from_utf8(text).expect("text"));
        }
        said
    }

    #[tokio::test]
    async fn an_answer_in_time_is_no_stream() {
        let exchange = Arc::new(Exchange::default());
        let call = saying(&exchange, &[], LIMIT / 2);
        assert!(matches!(answered(call, exchange.listen(), Some(LIMIT), &TaskTracker::new()).await, Outgoing::Now(_)));
    }

    #[tokio::test]
    async fn what_is_said_comes_before_the_answer() {
        for pause in [Duration::ZERO, LIMIT] {
            let exchange = Arc::new(Exchange::default());
            let call = saying(&exchange, &["a", "b"], pause);
            let Outgoing::Stream(stream) = answered(call, exchange.listen(), None, &TaskTracker::new()).await else {
                panic!("no stream")
            };
            assert_eq!(all(stream).await, ["a", "b", "answer"]);
        }
    }
}
