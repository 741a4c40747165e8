//! What a server says besides its answers: whoever listens hears it, and what the server asks is answered.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tracing::debug;

use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND, REFUSED};
use crate::protocol::frame::{Notification, Request};
use crate::protocol::reply;

use super::answer::Heard;
use super::listener::{Answering, Listener};
use super::patience::Deadline;
use super::questions::{MOST, Open, Questions};
use super::transport::Transport;

/// How long an answer of ours may take on its way.
const REPLY_PATIENCE: Duration = Duration::from_secs(30);

/// Who hears a server, and the way back to it.
#[derive(Debug)]
pub(super) struct Hearing {
    transport: Arc<Transport>,
    listener: Option<Arc<dyn Listener>>,
    questions: Arc<Questions>,
}

impl Hearing {
    pub(super) fn new(transport: Arc<Transport>, listener: Option<Arc<dyn Listener>>) -> Self {
        Self { transport, listener, questions: Arc::default() }
    }

    /// What the server may ask for.
    pub(super) fn capabilities(&self) -> Map<String, Value> {
        self.listener.as_ref().map(|listener| listener.capabilities()).unwrap_or_default()
    }

    /// Whether anybody wants to know how far a request has got.
    pub(super) fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// The questions that are being answered: while there are any, it is the server that waits for us.
    pub(super) fn open(&self) -> watch::Receiver<Open> {
        self.questions.open()
    }

    /// Hears a message that came in the session which the headers name.
    pub(super) async fn hear(&self, heard: Heard<'_>, headers: &HeaderMap) {
        match heard {
            Heard::Question(question) => self.answer(&question, headers).await,
            Heard::Note(note) => self.note(&note),
            Heard::Answer(_) | Heard::Other => {}
        }
    }

    fn note(&self, note: &Notification<'_>) {
        debug!("heard {}", note.method);
        if note.method == "notifications/cancelled" {
            self.questions.withdraw(note);
        }
        if let Some(listener) = &self.listener {
            listener.notified(note);
        }
    }

    /// Answers the server: a ping as it must be (basic/utilities/ping), what nobody offers with "no such method", and all
    /// else when the listener has an answer; meanwhile its messages are heard. A reply that does not arrive is the
    /// server's loss, not our request's.
    async fn answer(&self, question: &Request<'_>, headers: &HeaderMap) {
        debug!("the server asks for {}", question.method);
        let refused = |code, why: String| reply::error(Some(question.id.get()), &ErrorBody::new(code, why));
        let offered = self.listener.as_ref().filter(|_| question.method != "ping").and_then(|l| l.asked(question));
        let reply = match offered {
            Some(answering) if self.questions.has_room() => return self.answer_later(question, answering, headers),
            Some(_) => refused(REFUSED, format!("more than {MOST} requests wait for this client already")),
            None if question.method == "ping" => reply::result(question.id, &json!({})),
            None => refused(METHOD_NOT_FOUND, format!("this client does not offer {}", question.method)),
        };
        send(&self.transport, reply, headers).await;
    }

    fn answer_later(&self, question: &Request<'_>, answering: Answering, headers: &HeaderMap) {
        let (id, transport, headers) = (question.id.to_owned(), self.transport.clone(), headers.clone());
        self.questions.begin(question.id, |place| async move {
            let reply = match answering.await {
                Ok(result) => reply::result(&id, &result),
                Err(error) => reply::error(Some(id.get()), &error),
            };
            // From here on it is we who wait again.
            drop(place);
            send(&transport, reply, &headers).await;
        });
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.questions.end();
    }
}

async fn send(transport: &Transport, reply: Vec<u8>, headers: &HeaderMap) {
    let sent = Deadline::after(REPLY_PATIENCE).bound(transport.place(), transport.notify(reply, headers)).await;
    if let Err(error) = sent {
        debug!("could not answer the server: {error}");
    }
}
