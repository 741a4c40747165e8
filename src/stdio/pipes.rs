//! The two pipes of one client, and what is known of it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::lines::{self, Fault, LONGEST, Lines};
use crate::model::principal::Principal;
use crate::protocol::error::{ErrorBody, REFUSED};
use crate::protocol::frame::{self, Body, Message};
use crate::protocol::reply;

/// How many messages wait for a client that does not read on; then calls wait, too.
const WAITING: usize = 64;
/// How many requests run at once; then no more are read.
const RUNNING: usize = 64;
/// How long a client that does not read on is waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The pipes.
pub struct Pipes {
    lines: Lines,
    pub(super) said: mpsc::Sender<Bytes>,
    writing: JoinHandle<()>,
    session: Arc<Mutex<Option<Arc<str>>>>,
    /// Who its sessions belong to.
    pub(super) principal: Principal,
    places: Arc<Semaphore>,
    /// Messages that no server has taken.
    again: Vec<Bytes>,
}

/// Why nobody is served any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client has closed its pipe, or reads no more; or we are told to stop.
    Served,
    /// The other server is gone.
    Lost,
}

/// What comes next.
pub(super) enum Next {
    Message(Bytes),
    /// The client is gone.
    End,
}

impl Pipes {
    /// A client's pipes.
    pub fn new(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (said, to_say) = mpsc::channel(WAITING);
        let writing = tokio::spawn(lines::write(output, to_say));
        Self {
            lines: Lines::of(input),
            said,
            writing,
            session: Arc::default(),
            principal: Principal::anonymous(),
            places: Arc::new(Semaphore::new(RUNNING)),
            again: Vec::new(),
        }
    }

    /// The next message. Cancelled midway, none is lost.
    ///
    /// # Errors
    /// When the pipe cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<Next> {
        if !self.again.is_empty() {
            return Ok(Next::Message(self.again.remove(0)));
        }
        loop {
            let line = tokio::select! {
                biased;
                // Nobody reads what we say.
                () = self.said.closed() => return Ok(Next::End),
                line = self.lines.next() => line,
            };
            match line {
                Ok(None) => return Ok(Next::End),
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => return Ok(Next::Message(line)),
                Err(Fault::TooLong) => self.say(too_long()).await,
                Err(Fault::Broken(error)) => return Err(error),
            }
        }
    }

    /// Whoever serves next takes this message first.
    pub(super) fn put_back(&mut self, message: Bytes) {
        self.again.push(message);
    }

    /// Says something, if anybody hears it.
    pub(super) async fn say(&self, message: Vec<u8>) {
        _ = self.said.send(message.into()).await;
    }

    /// Its session, once it has one.
    pub(super) fn session(&self) -> Option<Arc<str>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_session(&self, session: Option<Arc<str>>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// A place for a message to be handled. Requests wait for one; what answers a question of ours, or cancels, does not.
    pub(super) async fn place(&self, line: &[u8]) -> Option<OwnedSemaphorePermit> {
        if !matches!(frame::parse(line), Ok(Body::Single(Message::Request(_)) | Body::Batch(_))) {
            return None;
        }
        // It is never closed.
        self.places.clone().acquire_owned().await.ok()
    }

    /// Returns when all that was said is written, or nobody reads it.
    pub async fn close(self) {
        let Self { said, mut writing, .. } = self;
        drop(said);
        if tokio::time::timeout(LAST_WORDS, &mut writing).await.is_err() {
            writing.abort();
        }
    }
}

/// Whether a message opens a session.
pub(super) fn is_handshake(line: &[u8]) -> bool {
    matches!(frame::parse(line), Ok(Body::Single(Message::Request(request))) if request.method == "initialize")
}

fn too_long() -> Vec<u8> {
    let way_out = "send less in one message";
    let fact = format_args!("the line is longer than {LONGEST} bytes");
    reply::error(None, &ErrorBody::told(REFUSED, fact, way_out).because("too_large", way_out))
}
