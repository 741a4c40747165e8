//! What a server sends for one request, message by message: the answer, and all that comes before it.

use std::collections::VecDeque;

use http::{HeaderMap, header};
use reqwest::Response;
use serde_json::value::RawValue;
use tracing::trace;

use super::answer::{Heard, hear, messages};
use super::error::{ClientError, ProtocolError, Stage};
use super::http::{MAX_ANSWER, chunk, whole};
use super::sse::{Event, Limits, SseReader};
use super::stdio::{Ended, Inbox};

/// The most that we read of one event stream, in bytes: many notifications may come before an answer.
const MAX_STREAM: usize = 4 * MAX_ANSWER;

/// The messages for one request. Those of an HTTP response end with it: where that is an event stream of a server that
/// closes it before the answer (2025-11-25), this is the place to resume it, by [`SseReader::last_event_id`] and
/// [`SseReader::retry`].
#[derive(Debug)]
pub(super) struct Messages {
    place: String,
    headers: HeaderMap,
    source: Source,
    /// Parts that have come and are not read yet: events, or the body.
    parts: VecDeque<Vec<u8>>,
    /// The messages of the part that was read last.
    read: VecDeque<Box<RawValue>>,
}

/// Where they come from.
#[derive(Debug)]
enum Source {
    /// A JSON body, of at most that many bytes; `None` once it was read.
    Body(Option<Response>, usize),
    /// An event stream.
    Events(Response, SseReader),
    /// The pipe of a process, messages of at most that many bytes.
    Pipe(Inbox, Ended, usize),
}

impl Messages {
    /// Those of a response, each of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is neither JSON nor an event stream.
    pub(super) fn of(response: Response, limit: usize, place: &str) -> Result<Self, ProtocolError> {
        let headers = response.headers().clone();
        let place = place.to_owned();
        let source = match content_type(&headers).as_str() {
            "application/json" => Source::Body(Some(response), limit),
            "text/event-stream" => {
                Source::Events(response, SseReader::new(Limits { event: limit, stream: MAX_STREAM }))
            }
            "" => return Err(ProtocolError::ContentType { content_type: "no content type".to_owned() }),
            other => return Err(ProtocolError::ContentType { content_type: other.to_owned() }),
        };
        Ok(Self { place, headers, source, parts: VecDeque::new(), read: VecDeque::new() })
    }

    /// Those that a process sends for a request, each of at most `limit` bytes.
    pub(super) fn on((inbox, ended): (Inbox, Ended), limit: usize) -> Self {
        let source = Source::Pipe(inbox, ended, limit);
        let (parts, read) = (VecDeque::new(), VecDeque::new());
        Self { place: String::new(), headers: HeaderMap::new(), source, parts, read }
    }

    /// The headers that came before them.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next one; `None` when there is none any more.
    ///
    /// # Errors
    /// When the connection breaks, too much comes, or what comes is no JSON.
    pub(super) async fn next(&mut self) -> Result<Option<Box<RawValue>>, ClientError> {
        loop {
            if let Some(message) = self.read.pop_front() {
                return Ok(Some(message));
            }
            if let Some(part) = self.parts.pop_front() {
                let read = messages(&part).map_err(|e| self.no_json_rpc(&e))?;
                self.read = read.into_iter().map(ToOwned::to_owned).collect();
            } else if !self.receive().await? {
                return Ok(None);
            }
        }
    }

    /// Those that have come along with the last one, in one array.
    pub(super) fn beside(&mut self) -> VecDeque<Box<RawValue>> {
        std::mem::take(&mut self.read)
    }

    /// What a message is to the request of that id.
    ///
    /// # Errors
    /// When it is no JSON-RPC.
    pub(super) fn hear<'a>(&self, message: &'a RawValue, id: u64) -> Result<Heard<'a>, ClientError> {
        hear(message, id).map_err(|e| self.no_json_rpc(&e))
    }

    /// What it means that they have ended without the answer.
    pub(super) async fn unanswered(&self) -> ClientError {
        match &self.source {
            Source::Body(..) => garbage("its answer belongs to another request"),
            Source::Events(..) => ClientError::Connection {
                place: self.place.clone(),
                stage: Stage::Midway,
                cause: "the event stream ended without the answer".to_owned(),
            },
            Source::Pipe(_, ended, _) => ended.why().await,
        }
    }

    /// Waits for more; false at the end.
    async fn receive(&mut self) -> Result<bool, ClientError> {
        match &mut self.source {
            Source::Body(response, limit) => {
                let Some(response) = response.take() else { return Ok(false) };
                self.parts.push_back(whole(response, *limit, &self.place).await?);
            }
            Source::Events(response, reader) => {
                let Some(chunk) = chunk(response, &self.place).await? else { return Ok(false) };
                let events = reader.push(&chunk)?.into_iter().filter(has_message);
                self.parts.extend(events.map(|event| event.data));
            }
            Source::Pipe(inbox, _, limit) => {
                let Some(message) = inbox.next().await else { return Ok(false) };
                if message.get().len() > *limit {
                    return Err(ProtocolError::TooLarge { limit: *limit }.into());
                }
                self.read.push_back(message);
            }
        }
        Ok(true)
    }

    fn no_json_rpc(&self, error: &serde_json::Error) -> ClientError {
        let what = match self.source {
            Source::Body(..) => "its answer",
            Source::Events(..) => "an event",
            Source::Pipe(..) => "a line",
        };
        garbage(format!("{what} is not JSON-RPC: {error}"))
    }
}

/// Whether an event carries messages. Those of other kinds do not, and those without data mark a place in the stream.
fn has_message(event: &Event) -> bool {
    trace!(bytes = event.data.len(), "an event");
    !event.data.is_empty() && matches!(event.name.as_slice(), b"" | b"message")
}

/// The server does not speak MCP.
pub(super) fn garbage(reason: impl Into<String>) -> ClientError {
    ProtocolError::Garbage { reason: reason.into() }.into()
}

/// The media type alone, in lower case; empty when there is none.
fn content_type(headers: &HeaderMap) -> String {
    let whole = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
