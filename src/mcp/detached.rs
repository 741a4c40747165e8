//! A call that outlives its client.
//!
//! In the legacy era a disconnect is not a cancel (basic/transports): the call goes on and is recorded. A task for each
//! call would cost a hop; so the future runs where it is awaited, and moves into a task only when it is dropped.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

/// A future that goes on in a task of its own when it is dropped unfinished.
pub(super) struct Detached<T: Send + 'static> {
    running: Option<BoxFuture<'static, T>>,
    orphans: TaskTracker,
}

impl<T: Send + 'static> Detached<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static, orphans: &TaskTracker) -> Self {
        Self { running: Some(future.boxed()), orphans: orphans.clone() }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    /// `None` when the future panicked.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(running) = self.running.as_mut() else { return Poll::Ready(None) };
        // What a panicking future leaves behind is dropped with it: shared state is behind locks that survive a panic.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| running.poll_unpin(context)));
        match outcome {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => {
                self.running = None;
                Poll::Ready(Some(value))
            }
            Err(_) => {
                self.running = None;
                Poll::Ready(None)
            }
        }
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A panic ends the task alone.
            self.orphans.spawn(running);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn goes_on_after_its_client_has_hung_up() {
        let (tracker, (start, started), (finish, finished)) =
            (TaskTracker::new(), oneshot::channel(), oneshot::channel());
        let mut call = Detached::new(
            async move {
                _ = started.await;
                _ = finish.send(7);
            },
            &tracker,
        );
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        start.send(()).expect("still running");
        assert_eq!(finished.await, Ok(7));
    }

    async fn break_if(told: bool) {
        tokio::task::yield_now().await;
        assert!(!told, "on purpose");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        assert!(Detached::new(break_if(true), &TaskTracker::new()).await.is_none());
    }
}
