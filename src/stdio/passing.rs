//! Another server serves the client of two pipes: its messages are passed on as they are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pipes::{Ended, Next, Pipes, is_handshake};
use crate::client::{ClientError, Relay};
use crate::protocol::error::{ErrorBody, REFUSED};
use crate::protocol::frame::{self, Body, Message};
use crate::protocol::reply;

/// How long the messages that are under way may take when the client has closed its pipe.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A message that could not be passed on.
struct Unpassed {
    message: Bytes,
    error: ClientError,
}

impl Pipes {
    /// Passes the client's messages on until it closes its pipe, `stop` fires, or the other server is gone. What that one
    /// has not taken is kept for whoever serves next; what it may have run is answered with an error, and not repeated.
    ///
    /// # Errors
    /// When the pipe cannot be read.
    pub async fn pass_on(&mut self, relay: &Arc<Relay>, stop: &CancellationToken) -> io::Result<Ended> {
        let (failing, mut failed) = mpsc::channel::<Unpassed>(1);
        let (running, lost) = (TaskTracker::new(), CancellationToken::new());
        self.follow(relay);
        let outcome = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(Ended::Served),
                Some(unpassed) = failed.recv() => {
                    if self.told(unpassed).await {
                        lost.cancel();
                        break Ok(Ended::Lost);
                    }
                    continue;
                }
                next = self.next() => next,
            };
            match next {
                Err(error) => break Err(error),
                Ok(Next::End) => break Ok(Ended::Served),
                Ok(Next::Message(line)) if is_handshake(&line) => {
                    if self.pass_handshake(relay, line).await {
                        break Ok(Ended::Lost);
                    }
                }
                Ok(Next::Message(line)) => {
                    let (relay, session, said) = (relay.clone(), self.session(), self.said.clone());
                    let failing = failing.clone();
                    running.spawn(async move {
                        if let Err(error) = relay.pass(line.clone(), session.as_deref(), &said).await {
                            _ = failing.send(Unpassed { message: line, error }).await;
                        }
                    });
                }
            }
        };
        drop(failing);
        running.close();
        let rest = async {
            while let Some(unpassed) = failed.recv().await {
                self.told(unpassed).await;
            }
        };
        _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
        if let (Ok(Ended::Served), Some(session)) = (&outcome, self.session()) {
            // The session of a pipe ends with it, whoever can end it.
            let ended = tokio::time::timeout(GOODBYE, relay.end(&session)).await;
            if ended.is_ok_and(|ended| ended.is_err_and(|error| error.is_lost())) {
                return Ok(Ended::Lost);
            }
        }
        outcome
    }

    /// A handshake waits for its answer: what comes after it names the session. Whether the server is gone.
    async fn pass_handshake(&mut self, relay: &Arc<Relay>, line: Bytes) -> bool {
        match relay.pass(line.clone(), None, &self.said).await {
            Ok(session) => {
                self.set_session(session.map(Arc::from));
                self.follow(relay);
                false
            }
            Err(error) => self.told(Unpassed { message: line, error }).await,
        }
    }

    /// What the server says by itself. Where it breaks off, the next message shows whether the server is gone.
    fn follow(&self, relay: &Arc<Relay>) {
        let Some(session) = self.session() else { return };
        let (relay, said) = (relay.clone(), self.said.clone());
        tokio::spawn(async move {
            tokio::select! {
                heard = relay.listen(&session, &said) => {
                    if let Err(error) = heard {
                        tracing::debug!(%error, "the stream of the other server is over");
                    }
                }
                () = said.closed() => {}
            }
        });
    }

    /// A message was not passed on: it is kept, or its sender is told. Whether the server is gone.
    async fn told(&mut self, unpassed: Unpassed) -> bool {
        let Unpassed { message, error } = unpassed;
        let is_lost = error.is_lost();
        if error.is_unsent() {
            self.put_back(message);
        } else if let Ok(Body::Single(Message::Request(request))) = frame::parse(&message) {
            let way_out = "call again if that is safe: it may have run";
            let body = ErrorBody::told(REFUSED, &error, way_out).because("server_lost", way_out);
            let body = if is_lost { body } else { ErrorBody::new(REFUSED, error.to_string()) };
            self.say(reply::error(Some(request.id.get()), &body)).await;
        }
        is_lost
    }
}
