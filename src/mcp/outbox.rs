//! What is said to clients by themselves: the streams that they hold open, and the questions that wait for their answers.
//! It knows a session only while it holds a stream open or was asked something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::catalog::Questions;
use crate::session::{Live, OpenStream};

/// How many messages wait for a client that does not read on; more are dropped.
const WAITING: usize = 64;

/// The streams and questions of one server.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    questions: Questions,
    /// One a session: a newer one takes the place of the older.
    streams: Arc<DashMap<Arc<str>, Open>>,
    opened: AtomicU64,
}

#[derive(Debug)]
struct Open {
    number: u64,
    send: mpsc::Sender<Bytes>,
}

/// A stream that a client holds open, to hear what is not an answer. It ends with its session, with a newer stream of the
/// same session, and when the server stops.
#[derive(Debug)]
pub struct Outlet {
    live: Arc<Live>,
    messages: mpsc::Receiver<Bytes>,
    number: u64,
    streams: Arc<DashMap<Arc<str>, Open>>,
    _open: OpenStream,
}

impl Outbox {
    pub(super) fn questions(&self) -> &Questions {
        &self.questions
    }

    /// A client opens its stream.
    pub(super) fn open(&self, live: &Arc<Live>) -> Outlet {
        let (send, messages) = mpsc::channel(WAITING);
        let number = self.opened.fetch_add(1, Relaxed);
        // The one before ends: its sender is gone.
        self.streams.insert(live.id.clone(), Open { number, send });
        Outlet { live: live.clone(), messages, number, streams: self.streams.clone(), _open: live.open_stream() }
    }

    /// Tells all who hear.
    pub(super) fn send_to_all(&self, message: &Bytes) {
        for open in self.streams.iter() {
            // Who does not read on misses it.
            _ = open.send.try_send(message.clone());
        }
    }

    /// Ends all streams: the server stops.
    pub(super) fn close(&self) {
        self.streams.clear();
    }

    /// How many are open.
    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }
}

impl Outlet {
    /// The session.
    pub fn session(&self) -> &Arc<Live> {
        &self.live
    }

    /// The next message; none when the stream is over.
    pub async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            message = self.messages.recv() => message,
            () = self.live.until_ended() => None,
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.streams.remove_if(&self.live.id, |_, open| open.number == self.number);
    }
}
