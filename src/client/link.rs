//! One request and its one answer, repeated as long as that is safe and there is time. Of sessions it knows the headers
//! that it is given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use reqwest::Response;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::debug;

use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::frame::{self, Body, Message, Request};
use crate::protocol::reply::{self, Reply};

use super::backoff::Backoff;
use super::error::{ClientError, ProtocolError, Stage};
use super::patience::{Deadline, Patience};
use super::sse::{Event, Limits, SseReader};
use super::tool::Repeat;
use super::transport::{MAX_ANSWER, Transport};

/// The most that we read of one event stream, in bytes: many notifications may come before an answer.
const MAX_STREAM: usize = 4 * MAX_ANSWER;
/// How long a request that we gave up on may delay us once more, to tell the server so.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);
/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub method: &'static str,
    /// JSON.
    pub params: &'a str,
    pub repeat: Repeat,
    pub deadline: Deadline,
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
}

impl Link {
    pub(super) fn new(transport: Transport, backoff: Backoff) -> Self {
        Self { transport, backoff, next_id: AtomicU64::new(1) }
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
        let message = json!({"jsonrpc": "2.0", "method": method}).to_string();
        let mut patience = Patience::new(self.backoff, Repeat::Allowed, deadline);
        loop {
            match deadline.bound(self.place(), self.transport.post(message.as_str(), headers)).await {
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
        let outcome = ask.deadline.bound(self.place(), self.exchange(id, ask, headers)).await;
        // The handshake must not be cancelled (basic/utilities/cancellation).
        if matches!(outcome, Err(ClientError::Timeout { .. })) && ask.method != "initialize" {
            self.cancel(id, headers).await;
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
            "application/json" => self.read_json(response, id).await?,
            "text/event-stream" => self.read_stream(response, id, headers).await?,
            "" => return Err(ProtocolError::ContentType { content_type: "no content type".to_owned() }.into()),
            other => return Err(ProtocolError::ContentType { content_type: other.to_owned() }.into()),
        };
        match reply {
            Reply { error: Some(error), .. } => Err(ProtocolError::Answered(error).into()),
            Reply { result: Some(result), .. } => Ok(Answer { result, headers: answered }),
            _ => Err(garbage("an answer has neither a result nor an error")),
        }
    }

    async fn read_json(&self, response: Response, id: u64) -> Result<Reply, ClientError> {
        let body = self.transport.body(response, MAX_ANSWER).await?;
        let reply: Reply =
            serde_json::from_slice(&body).map_err(|e| garbage(format!("its answer is not JSON-RPC: {e}")))?;
        if answers(&reply, id) { Ok(reply) } else { Err(garbage("its answer belongs to another request")) }
    }

    async fn read_stream(&self, mut response: Response, id: u64, headers: &HeaderMap) -> Result<Reply, ClientError> {
        let mut reader = SseReader::new(Limits { event: MAX_ANSWER, stream: MAX_STREAM });
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

    /// The answer, if this event is it. What else may come first: notifications, the server's own requests, answers that
    /// we no longer wait for, and events of other kinds or without data, which mark a place in the stream.
    async fn read_event(&self, event: &Event, id: u64, headers: &HeaderMap) -> Result<Option<Reply>, ClientError> {
        if event.data.is_empty() || !matches!(event.name.as_slice(), b"" | b"message") {
            return Ok(None);
        }
        let reply: Reply =
            serde_json::from_slice(&event.data).map_err(|e| garbage(format!("an event is not JSON-RPC: {e}")))?;
        if answers(&reply, id) {
            return Ok(Some(reply));
        }
        if let Ok(Body::Single(Message::Request(question))) = frame::parse(&event.data) {
            self.reply(&question, headers).await;
        }
        Ok(None)
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
        if let Err(error) = self.transport.post(reply, headers).await {
            debug!(%error, method = %question.method, "could not answer the server");
        }
    }

    /// Tells the server that nobody waits any more, so that the work need not go on (basic/lifecycle, timeouts).
    async fn cancel(&self, id: u64, headers: &HeaderMap) {
        let params = json!({"requestId": id, "reason": "the client waited long enough"});
        let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).to_string();
        let goodbye = self.transport.post(message, headers);
        if let Err(error) = Deadline::after(CANCEL_PATIENCE).bound(self.place(), goodbye).await {
            debug!(%error, "could not cancel the request");
        }
    }
}

/// Whether a reply is the one to that request: by its id, or as an error from a server that could not read ours.
fn answers(reply: &Reply, id: u64) -> bool {
    match &reply.id {
        Some(raw) => (reply.result.is_some() || reply.error.is_some()) && raw.get().parse() == Ok(id),
        None => reply.error.is_some(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_matching_answer_counts() {
        for (reply, ours) in [
            (r#"{"id":7,"result":{}}"#, true),
            (r#"{"id":7,"error":{"code":1}}"#, true),
            (r#"{"id":null,"error":{"code":1}}"#, true),
            (r#"{"id":8,"result":{}}"#, false),
            (r#"{"id":"7","result":{}}"#, false),
            (r#"{"id":7,"method":"ping"}"#, false),
            (r#"{"result":{}}"#, false),
            ("{}", false),
        ] {
            let parsed: Reply = serde_json::from_str(reply).expect("a reply");
            assert_eq!(answers(&parsed, 7), ours, "{reply}");
        }
    }
}
