//! What a request says before its answer, and how far it has come: told by what runs, heard by whoever writes the answer.
//!
//! There is one for each request, and no channel: its messages wait in a queue that allocates nothing until there is one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::protocol::reply::ForeignError;

/// How many messages wait for a client that does not read on. More are dropped: progress that nobody sees is no loss.
const WAITING: usize = 256;

/// What is settled about a request that still runs, and what it has said.
#[derive(Debug, Default)]
pub struct Exchange {
    admitted: AtomicBool,
    archon: OnceLock<Uuid>,
    /// Somebody takes the messages.
    is_heard: AtomicBool,
    /// Something is in the queue.
    has_news: AtomicBool,
    said: Mutex<Said>,
    waker: AtomicWaker,
}

/// What a client answers to a question: a result, or its error where that can be read.
pub(super) type Answered = Result<Box<RawValue>, Option<ForeignError>>;

#[derive(Debug, Default)]
struct Said {
    queue: VecDeque<Vec<u8>>,
    /// Who waits for answers to questions, by the question's id.
    asked: Vec<(Arc<str>, oneshot::Sender<Answered>)>,
}

/// Whoever takes the messages of an exchange; when it is dropped, nobody does.
#[derive(Debug)]
pub struct Listener(Arc<Exchange>);

impl Exchange {
    /// Its session is valid: it is not refused any more for who asks, and its answer may take its time.
    pub fn admit(&self) {
        self.admitted.store(true, Relaxed);
    }

    /// Whether its session was found valid.
    pub fn is_admitted(&self) -> bool {
        self.admitted.load(Relaxed)
    }

    /// Its row will stand under this Archon session. The first to tell is heard: the calls of a batch share one answer.
    pub fn set_archon(&self, archon: Uuid) {
        _ = self.archon.set(archon);
    }

    /// The Archon session of its row, once that is known.
    pub fn archon(&self) -> Option<Uuid> {
        self.archon.get().copied()
    }

    /// From here on its messages are taken, until what this gives is dropped.
    pub fn listen(self: &Arc<Self>) -> Listener {
        self.is_heard.store(true, SeqCst);
        Listener(self.clone())
    }

    /// Whether anybody takes its messages: a client may read no streams, or have hung up.
    pub fn is_heard(&self) -> bool {
        self.is_heard.load(SeqCst)
    }

    /// Says something before the answer. `false` when nobody hears it.
    pub fn say(&self, message: Vec<u8>) -> bool {
        if !self.is_heard() {
            return false;
        }
        let mut said = self.said();
        let has_room = said.queue.len() < WAITING;
        if has_room {
            said.queue.push_back(message);
        }
        drop(said);
        self.has_news.store(true, SeqCst);
        self.waker.wake();
        has_room
    }

    /// Asks something; the answer comes by what this gives. `None` when nobody hears it.
    pub(super) fn ask(&self, id: &Arc<str>, message: Vec<u8>) -> Option<oneshot::Receiver<Answered>> {
        let (tell, told) = oneshot::channel();
        self.said().asked.push((id.clone(), tell));
        // Looked at by `close` after it has stopped listening, so one of the two sees the other.
        if self.say(message) {
            return Some(told);
        }
        self.forget(id);
        None
    }

    /// An answer has come. `false` when nobody waits for it.
    pub(super) fn answer(&self, id: &str, answered: Answered) -> bool {
        self.forget(id).is_some_and(|tell| tell.send(answered).is_ok())
    }

    /// Nobody waits for that answer any more.
    pub(super) fn forget(&self, id: &str) -> Option<oneshot::Sender<Answered>> {
        let mut said = self.said();
        let place = said.asked.iter().position(|(asked, _)| **asked == *id)?;
        Some(said.asked.swap_remove(place).1)
    }

    /// The next message.
    fn take(&self) -> Option<Vec<u8>> {
        if !self.has_news.load(SeqCst) {
            return None;
        }
        let mut said = self.said();
        let message = said.queue.pop_front();
        if said.queue.is_empty() {
            self.has_news.store(false, SeqCst);
        }
        message
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// How far the request has come.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.0
    }

    /// Whether a message waits.
    pub fn has_news(&self) -> bool {
        self.0.has_news.load(SeqCst)
    }

    /// Whether a message waits; if not, whoever polls is woken by the next one.
    pub fn wakes(&self, context: &Context<'_>) -> bool {
        if self.has_news() {
            return true;
        }
        self.0.waker.register(context.waker());
        self.has_news()
    }

    /// The next message; whoever polls is woken by the next one.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        if let Some(message) = self.0.take() {
            return Poll::Ready(message);
        }
        self.0.waker.register(context.waker());
        // It may have been said just before whoever says it knew whom to wake.
        self.0.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.is_heard.store(false, SeqCst);
        let mut said = self.0.said();
        said.queue.clear();
        // Whoever waits for an answer learns that none will come.
        said.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_said_is_heard_in_order_and_wakes() {
        let exchange = Arc::new(Exchange::default());
        assert!(!exchange.say(b"nobody".to_vec()));
        let listener = exchange.listen();
        let mut next = Box::pin(poll_fn(|context| listener.poll_next(context)));
        assert!((&mut next).now_or_never().is_none());
        let telling = exchange.clone();
        let task = tokio::spawn(async move {
            tokio::task::yield_now().await;
            assert!(telling.say(b"a".to_vec()) && telling.say(b"b".to_vec()));
        });
        assert_eq!(next.await, b"a");
        task.await.expect("said");
        assert_eq!(poll_fn(|context| listener.poll_next(context)).await, b"b");
        assert!(!listener.has_news());
    }

    #[test]
    fn what_waits_is_bounded() {
        let exchange = Arc::new(Exchange::default());
        let _listener = exchange.listen();
        let heard = (0..WAITING * 2).filter(|_| exchange.say(Vec::new())).count();
        assert_eq!(heard, WAITING);
    }

    #[tokio::test]
    async fn who_hangs_up_answers_nothing() {
        let exchange = Arc::new(Exchange::default());
        let id: Arc<str> = Arc::from("q");
        assert!(exchange.ask(&id, Vec::new()).is_none(), "nobody hears it");
        let listener = exchange.listen();
        let waiting = exchange.ask(&id, Vec::new()).expect("asked");
        drop(listener);
        assert!(waiting.await.is_err());
        assert!(!exchange.answer("q", Err(None)));
    }
}
