//! Another server serves the client of two pipes: its messages are passed on as they are.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pipes::{Ended, Next, Pipes, is_handshake};
use crate::client::{ClientError, Relay};
use crate::protocol::error::{ErrorBody, REFUSED};
use crate::protocol::frame::{self, Body, Message};
use crate::protocol::reply;

/// How long the messages that are under way may take when the client has closed its pipe.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// How long a handshake waits for a server that is stopping, and how often it is tried: whoever is next can open a session.
const STOPPING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
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
    /// `is_gone` is asked before each message: a stranger at that server's place is told nothing.
    ///
    /// # Errors
    /// When the pipe cannot be read.
    pub async fn pass_on(
        &mut self,
        relay: &Arc<Relay>,
        is_gone: impl Fn() -> bool,
        stop: &CancellationToken,
    ) -> io::Result<Ended> {
        let (failing, mut failed) = mpsc::channel::<Unpassed>(1);
        let (running, over) = (TaskTracker::new(), CancellationToken::new());
        let _over = over.clone().drop_guard();
        self.follow(relay, &over);
        let mut newest = None;
        let outcome = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(Ended::Served),
                Some(unpassed) = failed.recv() => {
                    if self.told(unpassed).await {
                        break Ok(Ended::Lost);
                    }
                    continue;
                }
                next = self.next() => next,
            };
            match next {
                Err(error) => break Err(error),
                Ok(Next::End) => break Ok(Ended::Served),
                Ok(Next::Message(line)) if is_gone() => {
                    newest = Some(line);
                    break Ok(Ended::Lost);
                }
                Ok(Next::Message(line)) if is_handshake(&line) => {
                    let is_lost = tokio::select! {
                        biased;
                        () = stop.cancelled() => break Ok(Ended::Served),
                        is_lost = self.pass_handshake(relay, line, &over) => is_lost,
                    };
                    if is_lost {
                        break Ok(Ended::Lost);
                    }
                }
                Ok(Next::Message(line)) => {
                    let place = tokio::select! {
                        biased;
                        () = stop.cancelled() => break Ok(Ended::Served),
                        place = self.place(&line) => place,
                    };
                    let passing = self.passing(relay, line, failing.clone(), place);
                    running.spawn(over.clone().run_until_cancelled_owned(passing));
                }
            }
        };
        drop(failing);
        running.close();
        self.hear_the_rest(failed).await;
        if let Some(line) = newest {
            // After those that were sent before it.
            self.put_back(line);
        }
        match outcome {
            Ok(Ended::Served) if is_gone() => Ok(Ended::Lost),
            Ok(Ended::Served) => Ok(self.goodbye(relay).await),
            outcome => outcome,
        }
    }

    /// Waits for the messages that are under way.
    async fn hear_the_rest(&mut self, mut failed: mpsc::Receiver<Unpassed>) {
        let rest = async {
            while let Some(unpassed) = failed.recv().await {
                self.told(unpassed).await;
            }
        };
        _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    }

    /// One message on its way; what goes wrong is told to `failing`.
    fn passing(
        &self,
        relay: &Arc<Relay>,
        message: Bytes,
        failing: mpsc::Sender<Unpassed>,
        place: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (relay, session, said) = (relay.clone(), self.session(), self.said.clone());
        async move {
            if let Err(error) = relay.pass(message.clone(), session.as_deref(), &said).await {
                _ = failing.send(Unpassed { message, error }).await;
            }
            drop(place);
        }
    }

    /// The session of a pipe ends with it, whoever can end it.
    async fn goodbye(&self, relay: &Relay) -> Ended {
        let Some(session) = self.session() else { return Ended::Served };
        let ended = tokio::time::timeout(GOODBYE, relay.end(&session)).await;
        let is_lost = ended.is_ok_and(|ended| ended.is_err_and(|error| error.is_lost()));
        if is_lost { Ended::Lost } else { Ended::Served }
    }

    /// A handshake waits for its answer: what comes after it names the session. Whether the server is gone.
    async fn pass_handshake(&mut self, relay: &Arc<Relay>, line: Bytes, over: &CancellationToken) -> bool {
        match self.open_elsewhere(relay, &line).await {
            Ok(None) => false,
            Ok(Some(session)) => {
                if let Some(former) = self.session() {
                    // Nobody can name it any more.
                    _ = tokio::time::timeout(GOODBYE, relay.end(&former)).await;
                }
                self.set_session(Some(Arc::from(session)));
                self.follow(relay, over);
                false
            }
            Err(error) => self.told(Unpassed { message: line, error }).await,
        }
    }

    /// The session that the handshake has opened, if it has.
    async fn open_elsewhere(&self, relay: &Relay, line: &Bytes) -> Result<Option<String>, ClientError> {
        let began = Instant::now();
        loop {
            match relay.pass(line.clone(), None, &self.said).await {
                Err(error) if error.is_unavailable() && began.elapsed() < STOPPING => {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// What the server says by itself. Where it breaks off, the next message shows whether the server is gone.
    fn follow(&self, relay: &Arc<Relay>, over: &CancellationToken) {
        let Some(session) = self.session() else { return };
        let (relay, said, over) = (relay.clone(), self.said.clone(), over.clone());
        tokio::spawn(async move {
            tokio::select! {
                heard = relay.listen(&session, &said) => {
                    if let Err(error) = heard {
                        tracing::debug!(%error, "the stream of the other server is over");
                    }
                }
                () = said.closed() => {}
                () = over.cancelled() => {}
            }
        });
    }

    /// A message was not passed on: it is kept, or its sender is told. Whether the server is gone.
    async fn told(&mut self, unpassed: Unpassed) -> bool {
        let Unpassed { message, error } = unpassed;
        let is_lost = error.is_lost();
        if error.is_unsent() {
            self.put_back(message);
            return is_lost;
        }
        let way_out = "call again if that is safe: it may have run";
        let body = ErrorBody::told(REFUSED, &error, way_out).because("server_lost", way_out);
        let body = if is_lost { body } else { ErrorBody::new(REFUSED, error.to_string()) };
        for answer in answers(&message, &body) {
            self.say(answer).await;
        }
        is_lost
    }
}

/// The same error for each request of a message that was not passed on.
fn answers(message: &[u8], error: &ErrorBody) -> Vec<Vec<u8>> {
    let one = |message: &Message<'_>| match message {
        Message::Request(request) => Some(reply::error(Some(request.id.get()), error)),
        _ => None,
    };
    match frame::parse(message) {
        Ok(Body::Single(message)) => one(&message).into_iter().collect(),
        Ok(Body::Batch(members)) => members.iter().flatten().filter_map(one).collect(),
        Err(refused) => vec![reply::error(refused.id.as_deref(), &refused.body)],
    }
}
