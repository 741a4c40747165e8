//! One request and its one answer, repeated as long as that is safe and there is time. Of sessions it knows the headers
//! that it is given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use reqwest::Response;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;
use uuid::Uuid;

use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::frame::{self, Body, Message, Request};
use crate::protocol::reply::{self, Reply};

use super::backoff::{Backoff, next_delay};
use super::error::{ClientError, ProtocolError, Stage};
use super::sse::{Event, Limits, SseReader};
use super::tool::Repeat;
use super::transport::{MAX_ANSWER, Transport};

/// The most that we read of one event stream, in bytes: many notifications may come before an answer.
const MAX_STREAM: usize = 4 * MAX_ANSWER;
/// How long a request that we gave up on may delay us once more, to tell the server so.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);
/// No wait is longer; it keeps the sum with the present inside what a clock can hold.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A moment after which nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(super) fn after(allowed: Duration) -> Self {
        Self { at: Instant::now() + allowed.min(LONGEST_WAIT), allowed }
    }
}

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

    /// Sends a request and waits for its answer. Each attempt has an id of its own: within a session none may come twice.
    pub(super) async fn ask(&self, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        self.patiently(ask.repeat, ask.deadline, async || {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let outcome = self.in_time(ask.deadline, self.exchange(id, ask, headers)).await;
            // The handshake must not be cancelled (basic/utilities/cancellation).
            if matches!(outcome, Err(ClientError::Timeout { .. })) && ask.method != "initialize" {
                self.cancel(id, headers).await;
            }
            outcome
        })
        .await
    }

    /// Sends a notification; the server has it when this returns.
    pub(super) async fn tell(
        &self,
        method: &str,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> Result<(), ClientError> {
        let message = json!({"jsonrpc": "2.0", "method": method}).to_string();
        self.patiently(Repeat::Allowed, deadline, async || {
            self.in_time(deadline, self.transport.post(message.as_str(), headers)).await.map(|_| ())
        })
        .await
    }

    /// Ends the session that the headers name.
    pub(super) async fn end(&self, headers: &HeaderMap, deadline: Deadline) -> Result<(), ClientError> {
        self.patiently(Repeat::Allowed, deadline, async || {
            self.in_time(deadline, self.transport.delete(headers)).await
        })
        .await
    }

    /// Waits for a future until the deadline.
    pub(super) async fn in_time<T>(
        &self,
        deadline: Deadline,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        timeout_at(deadline.at, work).await.unwrap_or_else(|_| {
            Err(ClientError::Timeout { place: self.transport.place().to_owned(), after: deadline.allowed })
        })
    }

    async fn patiently<T>(
        &self,
        repeat: Repeat,
        deadline: Deadline,
        attempt: impl AsyncFn() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut failures = 0;
        loop {
            let error = match attempt().await {
                Err(error) if is_passing(&error, repeat) => error,
                outcome => return outcome,
            };
            // The first byte of a random UUID is jitter enough.
            let delay = next_delay(&self.backoff, failures, retry_after(&error), Uuid::new_v4().as_bytes()[0]);
            failures += 1;
            // The last error tells more than "no answer in time" would.
            if failures >= self.backoff.attempts || Instant::now() + delay >= deadline.at {
                return Err(error);
            }
            debug!(%error, ?delay, "trying again");
            sleep(delay).await;
        }
    }

    async fn exchange(&self, id: u64, ask: Ask<'_>, headers: &HeaderMap) -> Result<Answer, ClientError> {
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{}}}"#, Value::from(ask.method), ask.params);
        let response = self.transport.post(message, headers).await?;
        if response.status() == StatusCode::ACCEPTED {
            return Err(garbage("it accepted a request and gave no answer"));
        }
        let answered = response.headers().clone();
        let reply = match content_type(&answered) {
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
        let reply: Reply = serde_json::from_slice(&body).map_err(|e| garbage(format!("its answer is not JSON-RPC: {e}")))?;
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
            place: self.transport.place().to_owned(),
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
        let told = self.in_time(Deadline::after(CANCEL_PATIENCE), self.transport.post(message, headers)).await;
        if let Err(error) = told {
            debug!(%error, "could not cancel the request");
        }
    }
}

/// Whether an error may be gone by the next attempt, and that attempt does no harm.
fn is_passing(error: &ClientError, repeat: Repeat) -> bool {
    match error {
        ClientError::Connection { stage: Stage::BeforeSending, .. } => true,
        ClientError::Connection { stage: Stage::Midway, .. } => repeat == Repeat::Allowed,
        ClientError::Http { status, .. } => matches!(status, 429 | 503),
        _ => false,
    }
}

fn retry_after(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Http { retry_after, .. } => *retry_after,
        _ => None,
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

/// The media type alone; empty when there is none. Media types are compared in lower case, as everybody writes them.
fn content_type(headers: &HeaderMap) -> &str {
    let whole = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    whole.split(';').next().unwrap_or_default().trim()
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

    #[test]
    fn repeats_only_what_is_safe() {
        let broken = |stage| ClientError::Connection { place: String::new(), stage, cause: String::new() };
        let status =
            |status| ClientError::Http { status, message: String::new(), hint: None, retry_after: None };
        for (error, repeat, passing) in [
            (broken(Stage::BeforeSending), Repeat::Never, true),
            (broken(Stage::Midway), Repeat::Never, false),
            (broken(Stage::Midway), Repeat::Allowed, true),
            (status(503), Repeat::Never, true),
            (status(429), Repeat::Never, true),
            (status(500), Repeat::Allowed, false),
            (garbage("x"), Repeat::Allowed, false),
        ] {
            assert_eq!(is_passing(&error, repeat), passing, "{error} {repeat:?}");
        }
    }
}
