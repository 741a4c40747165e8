//! One request and its one answer, repeated as long as that is safe and there is time. Of sessions it knows the headers
//! that it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tracing::debug;

use crate::protocol::reply::Reply;

use super::abandoned::Abandoned;
use super::answer::{Heard, is_same};
use super::backoff::Backoff;
use super::cookies::Cookie;
use super::error::ClientError;
use super::get_stream::GetStream;
use super::hearing::Hearing;
use super::listener::Listener;
use super::messages::{Messages, garbage};
use super::patience::{Attempts, Deadline};
use super::refusal;
use super::tool::Repeat;
use super::transport::Transport;

/// How long a request that we gave up on may delay us once more, to tell the server so.
pub(super) const CANCEL_PATIENCE: Duration = Duration::from_millis(500);

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub method: &'static str,
    /// JSON.
    pub params: &'a str,
    pub repeat: Repeat,
    pub deadline: Deadline,
    /// The largest answer that we hold, in bytes.
    pub limit: usize,
}

/// An answer that is a result.
#[derive(Debug)]
pub(super) struct Answer {
    pub result: Box<RawValue>,
    /// The headers that came with it; session ids are among them.
    pub headers: HeaderMap,
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Link {
    transport: Arc<Transport>,
    hearing: Arc<Hearing>,
    get_stream: GetStream,
    backoff: Backoff,
    next_id: AtomicU64,
    abandoned: Abandoned,
}

impl Link {
    pub(super) fn new(transport: Transport, backoff: Backoff, listener: Option<Arc<dyn Listener>>) -> Self {
        let transport = Arc::new(transport);
        let hearing = Arc::new(Hearing::new(transport.clone(), listener));
        let (next_id, abandoned, get_stream) = (AtomicU64::new(1), Abandoned::default(), GetStream::default());
        Self { transport, hearing, get_stream, backoff, next_id, abandoned }
    }

    /// What the server may ask of whoever listens.
    pub(super) fn capabilities(&self) -> Map<String, Value> {
        self.hearing.capabilities()
    }

    pub(super) fn cookies(&self) -> Vec<Cookie> {
        self.transport.cookies()
    }

    pub(super) fn place(&self) -> &str {
        self.transport.place()
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let mut attempts = Attempts::new(self.backoff, ask.repeat, ask.deadline);
        loop {
            match self.attempt(ask, headers).await {
                Err(error) => attempts.after(error).await?,
                answer => return answer,
            }
        }
    }

    /// Sends a notification; the server has it when this returns.
    pub(super) async fn notify(
        &self,
        method: &str,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> Result<(), ClientError> {
        let message = json!({"jsonrpc": "2.0", "method": method}).to_string().into_bytes();
        let mut attempts = Attempts::new(self.backoff, Repeat::Allowed, deadline);
        loop {
            match deadline.bound(self.place(), self.transport.notify(message.clone(), headers)).await {
                Err(error) => attempts.after(error).await?,
                told => return told,
            }
        }
    }

    /// Whether the connection is the session.
    pub(super) fn is_session(&self) -> bool {
        self.transport.is_session()
    }

    /// Ends the session that the headers name, or that the connection is.
    pub(super) async fn end(&self, headers: &HeaderMap, deadline: Deadline) -> Result<(), ClientError> {
        let mut attempts = Attempts::new(self.backoff, Repeat::Allowed, deadline);
        loop {
            match deadline.bound(self.place(), self.transport.end(headers)).await {
                Err(error) => attempts.after(error).await?,
                ended => return ended,
            }
        }
    }

    /// Hears what comes in the session of those headers besides its answers.
    pub(super) async fn listen(&self, headers: HeaderMap) {
        self.get_stream.open(self.transport.clone(), self.hearing.clone(), headers).await;
    }

    /// Where the connection is the session, ends it; its opening failed, and nobody can name it.
    pub(super) async fn hang_up(&self) {
        if self.is_session() {
            // What has no answer has no error either.
            _ = self.transport.end(&HeaderMap::new()).await;
        }
    }

    /// One attempt, under an id of its own: within a session none may come twice.
    async fn attempt(&self, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        debug!(id, "sending {}", ask.method);
        let began = Instant::now();
        // The handshake must not be cancelled (basic/utilities/cancellation).
        let waiting = (ask.method != "initialize").then(|| self.abandoned.wait(id, headers));
        let exchange = Box::pin(self.exchange(id, ask, headers));
        let outcome = ask.deadline.bound_but_for(self.hearing.open(), self.place(), exchange).await;
        let is_cancellable = waiting.is_some_and(|waiting| {
            waiting.end();
            true
        });
        let took = began.elapsed();
        match &outcome {
            Ok(answer) => debug!(id, ?took, bytes = answer.result.get().len(), "answered"),
            Err(error) => debug!(id, ?took, "failed: {error}"),
        }
        if matches!(outcome, Err(ClientError::Timeout { .. })) && is_cancellable {
            self.cancel(id, headers, "the client waited long enough").await;
        }
        outcome
    }

    /// The answer among all that the server sends for the request; the rest is heard.
    async fn exchange(&self, id: u64, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let mut messages = self.send(id, ask, headers).await?;
        loop {
            let Some(message) = messages.next().await? else { return Err(messages.unanswered().await) };
            match messages.hear(&message, id)? {
                Heard::Answer(reply) => {
                    for message in messages.beside() {
                        self.hearing.hear(messages.hear(&message, id)?, headers).await;
                    }
                    return answer(reply, id, (headers, messages.headers()));
                }
                heard => self.hearing.hear(heard, headers).await,
            }
        }
    }

    /// Sends a request; gives the messages that the server sends for it.
    async fn send(&self, id: u64, ask: Ask<'_>, headers: &HeaderMap) -> Result<Messages, ClientError> {
        let params = if ask.method == "tools/call" && self.hearing.is_heard() {
            // Its own id tells its progress from that of others (basic/utilities/progress).
            format!(r#"{{"_meta":{{"progressToken":{id}}},{}"#, ask.params.trim_start_matches('{'))
        } else {
            ask.params.to_owned()
        };
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#, Value::from(ask.method));
        self.transport.request((id, ask.limit), message, headers).await
    }

    /// Tells the server that nobody waits any more, so that the work need not go on (basic/lifecycle, timeouts).
    async fn cancel(&self, id: u64, headers: &HeaderMap, reason: &str) {
        debug!(id, "telling the server that nobody waits: {reason}");
        let params = json!({"requestId": id, "reason": reason});
        let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string();
        let goodbye = self.transport.notify(message.into_bytes(), headers);
        if let Err(error) = Deadline::after(CANCEL_PATIENCE).bound(self.place(), goodbye).await {
            debug!(id, "could not cancel the request: {error}");
        }
    }

    /// The same for all requests whose callers have left.
    pub(super) async fn cancel_abandoned(&self) {
        let abandoned = self.abandoned.take();
        join_all(abandoned.iter().map(|(id, headers)| self.cancel(*id, headers, "the client was told to stop"))).await;
    }
}

/// What an answer says to the request of that id, which had the first headers; it came with the second.
fn answer(reply: Reply, id: u64, (asked, answered): (&HeaderMap, &HeaderMap)) -> Result<Answer, ClientError> {
    match reply {
        Reply { error: Some(error), id: of, .. } => {
            let echoes_id = of.is_some_and(|of| is_same(&of, id));
            Err(refusal::judge_answer(error, echoes_id, asked))
        }
        Reply { result: Some(result), .. } => Ok(Answer { result, headers: answered.clone() }),
        _ => Err(garbage("an answer has neither a result nor an error")),
    }
}
