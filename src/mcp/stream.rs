//! How long a client that reads a stream waits in silence.
//!
//! What is refused has a status and headers of its own, and so has a session that is opened; a stream has sent its head
//! before. So the clock starts when the request's session was found valid, and no stream begins before it is known under
//! which Archon session the request is recorded. `initialize` is never a stream: it answers with an id or not at all.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use uuid::Uuid;

use super::detached::Detached;
use super::reply::Reply;
use crate::mcp::Begun;

/// How a silence ends.
pub(super) enum Silence {
    /// With the answer; none when its call panicked.
    Answered(Option<Reply>),
    /// Not yet, and the client has waited long enough: its stream may begin, in this Archon session.
    Lasts(Uuid),
}

/// Waits for the answer, or until a stream may begin.
pub(super) async fn broken(call: &mut Detached<Reply>, begun: &Begun, limit: Duration) -> Silence {
    let mut call = pin!(call);
    let mut pause = pin!(None);
    let mut is_over = false;
    poll_fn(|context| {
        // First: what is told of it is told while it is polled, so nobody has to wake us for that.
        if let Poll::Ready(reply) = call.as_mut().poll(context) {
            return Poll::Ready(Silence::Answered(reply));
        }
        if !begun.is_admitted() {
            return Poll::Pending;
        }
        if pause.is_none() {
            pause.set(Some(tokio::time::sleep(limit)));
        }
        if let Some(pause) = pause.as_mut().as_pin_mut().filter(|_| !is_over) {
            is_over = pause.poll(context).is_ready();
        }
        match begun.archon() {
            Some(archon) if is_over => Poll::Ready(Silence::Lasts(archon)),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;
    use tokio_util::task::TaskTracker;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn no_stream_begins_before_its_session_is_known() {
        let begun = Arc::new(Begun::default());
        let ((admit, admitted), (bind, bound)) = (oneshot::channel::<()>(), oneshot::channel::<Uuid>());
        let telling = begun.clone();
        let call = async move {
            admitted.await.expect("a session");
            telling.admit();
            telling.tell(bound.await.expect("bound"));
            std::future::pending().await
        };
        let mut call = Detached::new(call, &TaskTracker::new());
        let mut silence = pin!(broken(&mut call, &begun, LIMIT));
        tokio::time::sleep(LIMIT * 4).await;
        assert!(silence.as_mut().now_or_never().is_none(), "it may still be refused");
        admit.send(()).expect("waits");
        assert!(silence.as_mut().now_or_never().is_none(), "the silence begins only now");
        tokio::time::sleep(LIMIT * 2).await;
        assert!(silence.as_mut().now_or_never().is_none(), "its Archon session is not known");
        bind.send(Uuid::max()).expect("waits");
        assert!(matches!(silence.await, Silence::Lasts(id) if id == Uuid::max()));
    }

    #[tokio::test]
    async fn an_answer_in_time_is_no_stream() {
        let begun = Begun::default();
        begun.admit();
        begun.tell(Uuid::nil());
        let call = async {
            tokio::time::sleep(LIMIT / 2).await;
            Reply::default()
        };
        let mut call = Detached::new(call, &TaskTracker::new());
        assert!(matches!(broken(&mut call, &begun, LIMIT).await, Silence::Answered(Some(_))));
    }
}
