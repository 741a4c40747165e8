//! One request and its one answer, repeated as long as that is safe and there is time. Of sessions it knows the headers
//! that it is given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode, header};
use reqwest::Response;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::{debug, trace};

use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::frame::Request;
use crate::protocol::reply::{self, Reply};

use super::abandoned::Abandoned;
use super::answer::{Heard, hear, is_same, messages};
use super::backoff::Backoff;
use super::cookies::Cookie;
use super::error::{ClientError, ProtocolError, Stage};
use super::patience::{Deadline, Patience};
use super::refusal;
use super::sse::{Event, Limits, SseReader};
use super::tool::Repeat;
use super::transport::{MAX_ANSWER, Transport};

/// The most that we read of one event stream, in bytes: many notifications may come before an answer.
const MAX_STREAM: usize = 4 * MAX_ANSWER;
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
    transport: Transport,
    backoff: Backoff,
    next_id: AtomicU64,
    abandoned: Abandoned,
}

impl Link {
    pub(super) fn new(transport: Transport, backoff: Backoff) -> Self {
        Self { transport, backoff, next_id: AtomicU64::new(1), abandoned: Abandoned::default() }
    }

    pub(super) fn cookies(&self) -> Vec<Cookie> {
        self.transport.cookies()
    }

    pub(super) fn place(&self) -> &str {
        self.transport.place()
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let mut patience = Patience::new(self.backoff, ask.repeat, ask.deadline);
        loop {
            match self.attempt(ask, headers).await {
                Err(error) => patience.after(error).await?,
                answer => return answer,
            }
        }
    }

    /// Sends a notification; the server has it when this returns.
    pub(super) async fn tell(&self, method: &str, headers: &HeaderMap, deadline: Deadline) -> Result<(), ClientError> {
        let message = Bytes::from(json!({"jsonrpc": "2.0", "method": method}).to_string());
        let mut patience = Patience::new(self.backoff, Repeat::Allowed, deadline);
        loop {
            match deadline.bound(self.place(), self.transport.post(message.clone(), headers)).await {
                Err(error) => patience.after(error).await?,
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Ends the session that the headers name.
    pub(super) async fn end(&self, headers: &HeaderMap, deadline: Deadline) -> Result<(), ClientError> {
        let mut patience = Patience::new(self.backoff, Repeat::Allowed, deadline);
        loop {
            match deadline.bound(self.place(), self.transport.delete(headers)).await {
                Err(error) => patience.after(error).await?,
                ended => return ended,
            }
        }
    }

    /// One attempt, under an id of its own: within a session none may come twice.
    async fn attempt(&self, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        debug!(id, "sending {}", ask.method);
        let began = Instant::now();
        // The handshake must not be cancelled (basic/utilities/cancellation).
        let waiting = (ask.method != "initialize").then(|| self.abandoned.wait(id, headers));
        let outcome = ask.deadline.bound(self.place(), Box::pin(self.exchange(id, ask, headers))).await;
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

    async fn exchange(&self, id: u64, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{}}}"#, Value::from(ask.method), ask.params);
        let response = self.transport.post(message, headers).await?;
        if response.status() == StatusCode::ACCEPTED {
            return Err(garbage("it accepted a request and gave no answer"));
        }
        let answered = response.headers().clone();
        let reply = match content_type(&answered).as_str() {
            "application/json" => self.read_json(response, (id, ask.limit), headers).await?,
            "text/event-stream" => self.read_stream(response, (id, ask.limit), headers).await?,
            "" => return Err(ProtocolError::ContentType { content_type: "no content type".to_owned() }.into()),
            other => return Err(ProtocolError::ContentType { content_type: other.to_owned() }.into()),
        };
        match reply {
            Reply { error: Some(error), id: of, .. } => {
                let echoes_id = of.is_some_and(|of| is_same(&of, id));
                Err(refusal::judge_answer(error, echoes_id, headers))
            }
            Reply { result: Some(result), .. } => Ok(Answer { result, headers: answered }),
            _ => Err(garbage("an answer has neither a result nor an error")),
        }
    }

    async fn read_json(
        &self,
        response: Response,
        (id, limit): (u64, usize),
        headers: &HeaderMap,
    ) -> Result<Reply, ClientError> {
        let body = self.transport.body(response, limit).await?;
        let reply = self.read_messages(&body, id, headers).await;
        let reply = reply.map_err(|e| garbage(format!("its answer is not JSON-RPC: {e}")))?;
        reply.ok_or_else(|| garbage("its answer belongs to another request"))
    }

    async fn read_stream(
        &self,
        mut response: Response,
        (id, limit): (u64, usize),
        headers: &HeaderMap,
    ) -> Result<Reply, ClientError> {
        let mut reader = SseReader::new(Limits { event: limit, stream: MAX_STREAM });
        while let Some(chunk) = self.transport.chunk(&mut response).await? {
            for event in reader.push(&chunk)? {
                if let Some(reply) = self.read_event(&event, id, headers).await? {
                    return Ok(reply);
                }
            }
        }
        Err(ClientError::Connection {
            place: self.place().to_owned(),
            stage: Stage::Midway,
            cause: "the event stream ended without the answer".to_owned(),
        })
    }

    /// The answer, if it is in this event. What else may come first: notifications, the server's own requests, answers that
    /// we no longer wait for, and events of other kinds or without data, which mark a place in the stream.
    async fn read_event(&self, event: &Event, id: u64, headers: &HeaderMap) -> Result<Option<Reply>, ClientError> {
        if event.data.is_empty() || !matches!(event.name.as_slice(), b"" | b"message") {
            return Ok(None);
        }
        trace!(id, bytes = event.data.len(), "an event");
        let reply = self.read_messages(&event.data, id, headers).await;
        reply.map_err(|e| garbage(format!("an event is not JSON-RPC: {e}")))
    }

    /// The answer among the messages of a body or an event. The server's questions among them are answered.
    async fn read_messages(&self, text: &[u8], id: u64, headers: &HeaderMap) -> serde_json::Result<Option<Reply>> {
        let mut answer = None;
        for message in messages(text)? {
            match hear(message, id)? {
                Heard::Answer(reply) => answer = answer.or(Some(reply)),
                Heard::Question(question) => self.reply(&question, headers).await,
                Heard::Other => {}
            }
        }
        Ok(answer)
    }

    /// Answers the server: a ping as it must be (basic/utilities/ping), anything else with "no such method", because we
    /// offered no capabilities. A reply that does not arrive is the server's loss, not our request's.
    async fn reply(&self, question: &Request<'_>, headers: &HeaderMap) {
        let reply = match question.method.as_ref() {
            "ping" => reply::result(question.id, &json!({})),
            method => {
                let error = ErrorBody::new(METHOD_NOT_FOUND, format!("this client does not offer {method}"));
                reply::error(Some(question.id.get()), &error)
            }
        };
        debug!("answering the server's {}", question.method);
        if let Err(error) = self.transport.post(reply, headers).await {
            debug!("could not answer the server: {error}");
        }
    }

    /// Tells the server that nobody waits any more, so that the work need not go on (basic/lifecycle, timeouts).
    async fn cancel(&self, id: u64, headers: &HeaderMap, reason: &str) {
        debug!(id, "telling the server that nobody waits: {reason}");
        let params = json!({"requestId": id, "reason": reason});
        let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string();
        let goodbye = self.transport.post(message, headers);
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

fn garbage(reason: impl Into<String>) -> ClientError {
    ProtocolError::Garbage { reason: reason.into() }.into()
}

/// The media type alone, in lower case; empty when there is none.
fn content_type(headers: &HeaderMap) -> String {
    let whole = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
