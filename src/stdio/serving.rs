//! An engine of this process serves the client of two pipes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pipes::{Ended, Next, Pipes, is_handshake};
use crate::mcp::{Answer, Engine, Head, Incoming, Outgoing, Reads, Said, SessionName};
use crate::model::principal::Principal;

/// After the grace, what still runs is cut and has this long to be recorded.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// How often an open pipe is noted.
const STILL_THERE: Duration = Duration::from_secs(15);

impl Pipes {
    /// Serves the client until it closes its pipe, or `stop` fires; then its session ends. What runs has the time of `grace`,
    /// and is cut short after it.
    ///
    /// # Errors
    /// When the pipe cannot be read.
    pub async fn serve(
        &mut self,
        engine: &Arc<Engine>,
        stop: &CancellationToken,
        grace: Duration,
    ) -> io::Result<Ended> {
        let running = TaskTracker::new();
        self.adopt_owner(engine).await;
        if let Some(session) = self.session() {
            self.hear(engine, &session).await;
        }
        let outcome = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(Ended::Served),
                next = self.next() => next,
            };
            match next {
                Err(error) => break Err(error),
                Ok(Next::End) => break Ok(Ended::Served),
                Ok(Next::Message(line)) if is_handshake(&line) => self.open(engine, line).await,
                Ok(Next::Message(line)) => {
                    let place = tokio::select! {
                        biased;
                        () = stop.cancelled() => break Ok(Ended::Served),
                        place = self.place(&line) => place,
                    };
                    self.take(engine, line, &running, place).await;
                }
            }
        };
        running.close();
        if timeout(grace, running.wait()).await.is_err() {
            engine.cut_short();
            // What cannot even say that it was cut, because nobody reads, ends with the process.
            _ = timeout(LAST_MOMENT, running.wait()).await;
        }
        self.end(engine).await;
        outcome
    }

    /// A session that another server opened may belong to the principal of a token. Whoever has the file serves it all the
    /// same: to that principal, to whom the pipe belongs.
    async fn adopt_owner(&mut self, engine: &Engine) {
        let Some(session) = self.session() else { return };
        match engine.sessions().owner(&session).await {
            Ok(Some(owner)) => self.principal = Principal { name: Arc::from(owner), ..Principal::anonymous() },
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "nobody knows now whose session it is"),
        }
    }

    /// A second handshake that opens a session takes the place of the first, which nobody can name any more.
    async fn open(&self, engine: &Arc<Engine>, line: Bytes) {
        let outgoing = engine.dispatch(incoming(self.principal.clone(), Head::default(), line)).await;
        if let Some(session) = say_all(outgoing, &self.said).await {
            self.end(engine).await;
            self.hear(engine, &session).await;
            self.set_session(Some(session));
        }
    }

    /// Requests run beside each other.
    async fn take(
        &self,
        engine: &Arc<Engine>,
        line: Bytes,
        running: &TaskTracker,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let (engine, said, head) = (engine.clone(), self.said.clone(), head(self.session().as_deref()));
        let principal = self.principal.clone();
        let mut handling = Box::pin(async move {
            let outgoing = engine.dispatch(incoming(principal, head, line)).await;
            say_all(outgoing, &said).await;
            drop(place);
        });
        // Begun in the order in which they came: a cancellation finds the request that it means.
        if poll!(&mut handling).is_pending() {
            running.spawn(handling);
        }
    }

    /// What is said to the client by itself goes the same way as answers.
    async fn hear(&self, engine: &Arc<Engine>, session: &str) {
        let Ok(mut outlet) = engine.listen(&head(Some(session)), &self.principal).await else { return };
        let (said, engine, principal) = (self.said.downgrade(), engine.clone(), self.principal.clone());
        // Not waited for: it ends with the session, or with the engine.
        tokio::spawn(async move {
            loop {
                match timeout(STILL_THERE, outlet.next()).await {
                    Ok(Some(message)) => {
                        let Some(said) = said.upgrade() else { return };
                        _ = said.send(message).await;
                    }
                    // The pipe is open: that keeps the session, as a stream does.
                    Err(_) if engine.keep_listening(&outlet, &principal).await => {}
                    Ok(None) | Err(_) => return,
                }
            }
        });
    }

    /// The pipe is closed, and its session ends with it.
    async fn end(&self, engine: &Engine) {
        let Some(session) = self.session() else { return };
        self.set_session(None);
        if let Err(answer) = engine.close(&head(Some(&session)), &self.principal).await {
            let answer = String::from_utf8_lossy(&answer.body);
            tracing::warn!(%answer, "the session of a closed pipe could not be ended; it ends with its time");
        }
    }
}

/// Says what comes before an answer, and the answer; the session that was opened, if one was.
async fn say_all(outgoing: Outgoing, said: &mpsc::Sender<Bytes>) -> Option<Arc<str>> {
    match outgoing {
        Outgoing::Accepted(_) => None,
        Outgoing::Now(answer) => {
            // Who is gone hears nothing.
            _ = said.send(answer.body.into()).await;
            answer.session
        }
        Outgoing::Stream(mut stream) => {
            while let Some(next) = stream.next().await {
                let (Said::Message(body) | Said::Answer(Answer { body, .. })) = next;
                _ = said.send(body.into()).await;
            }
            None
        }
    }
}

fn incoming(principal: Principal, head: Head, body: Bytes) -> Incoming {
    // Every message is a line of its own, so nothing has to become a stream for the time that it takes.
    Incoming { principal, head, body, reads: Reads::Stream(None), in_flight: None }
}

fn head(session: Option<&str>) -> Head {
    let session = session.map_or(SessionName::None, |session| SessionName::Named(session.to_owned()));
    Head { session, ..Head::default() }
}
