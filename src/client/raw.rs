//! HTTP without a client's kindness: sends what it is told, repeats nothing, follows no redirect, and tells what came
//! back. For checks of servers, ours and others'.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use serde_json::Value;

use super::error::{ClientError, ProtocolError, Stage};
use super::http::{builder, unconnected};
use super::options::ClientOptions;
use super::options_error::OptionsError;
use super::sse::{Event, Limits, SseReader};

/// A request as it is to be sent.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    /// `POST`, `DELETE`, …
    pub method: String,
    /// Where to, in full.
    pub url: String,
    /// Names and values, in this order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// On an event stream: the id of the request whose answer ends the reading. Without it all is read.
    pub answer_to: Option<Value>,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names, in lower case, and values, in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// The body as text; what is no UTF-8 is replaced.
    pub body: String,
    /// The JSON of the body; of an event stream the answer to the request, else its last message.
    pub json: Option<Value>,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl RawAnswer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Connections for raw requests.
#[derive(Debug, Clone)]
pub struct RawClient {
    http: reqwest::Client,
    /// The longest body that is read, in bytes.
    limit: usize,
}

impl RawClient {
    /// A client for that server, which reads bodies of at most `limit` bytes. Of the options it takes the URL alone.
    ///
    /// # Errors
    /// When this machine lets us make no connections at all.
    pub fn new(options: &ClientOptions, limit: usize) -> Result<Self, ClientError> {
        // Servers are killed under us: a connection that lay idle meanwhile would break the next request.
        let builder = builder(options).redirect(Policy::none()).pool_max_idle_per_host(0);
        let http = builder.build().map_err(|e| unconnected(&options.place(), Stage::BeforeSending, &e))?;
        Ok(Self { http, limit })
    }

    /// Sends a request and reads the answer, within that time in all.
    ///
    /// # Errors
    /// When the request cannot be sent as it stands, no whole answer comes in time, or it is larger than the limit.
    pub async fn exchange(&self, request: &RawRequest, patience: Duration) -> Result<RawAnswer, RawError> {
        let began = Instant::now();
        let options = ClientOptions::new(&request.url)?;
        let place = options.place();
        let late = |_| ClientError::Timeout { place: place.clone(), after: patience };
        let done = tokio::time::timeout(patience, self.send(request, &place)).await.map_err(late)?;
        done.map(|answer| RawAnswer { took: began.elapsed(), ..answer })
    }

    async fn send(&self, request: &RawRequest, place: &str) -> Result<RawAnswer, RawError> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| RawError::Request(format!("{:?} is no HTTP method", request.method)))?;
        let url = Url::parse(&request.url).map_err(|e| RawError::Request(e.to_string()))?;
        let mut sending = self.http.request(method, url).headers(headers(&request.headers)?);
        if !request.body.is_empty() {
            sending = sending.body(request.body.clone());
        }
        let response = sending.send().await.map_err(|e| {
            let stage = if e.is_connect() { Stage::BeforeSending } else { Stage::Midway };
            unconnected(place, stage, &e)
        })?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut answer = RawAnswer {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            ..RawAnswer::default()
        };
        let content_type = answer.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        if content_type.starts_with("text/event-stream") {
            // A stream that answers no request of ours has no end to wait for.
            if request.method != "GET" {
                self.read_stream(response, request, &mut answer, place).await?;
            }
        } else {
            let body = self.read_body(response, place).await?;
            answer.json = serde_json::from_slice(&body).ok();
            answer.body = String::from_utf8_lossy(&body).into_owned();
        }
        Ok(answer)
    }

    async fn read_body(&self, mut response: Response, place: &str) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| unconnected(place, Stage::Midway, &e))? {
            if body.len() + chunk.len() > self.limit {
                return Err(ProtocolError::TooLarge { limit: self.limit }.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn read_stream(
        &self,
        mut response: Response,
        request: &RawRequest,
        answer: &mut RawAnswer,
        place: &str,
    ) -> Result<(), ClientError> {
        let mut reader = SseReader::new(Limits { event: self.limit, stream: self.limit });
        while let Some(chunk) = response.chunk().await.map_err(|e| unconnected(place, Stage::Midway, &e))? {
            answer.body.push_str(&String::from_utf8_lossy(&chunk));
            for Event { data, .. } in reader.push(&chunk)? {
                // A priming event has no data.
                let Ok(message) = serde_json::from_slice::<Value>(&data) else { continue };
                let is_answer = message.get("result").or_else(|| message.get("error")).is_some()
                    && request.answer_to.as_ref().is_some_and(|id| message.get("id") == Some(id));
                answer.json = Some(message);
                if is_answer {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Why there is no answer to a raw request.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// It cannot be sent as it stands.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// The address is none.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Nothing came back, or too little, or too much.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn headers(given: &[(String, String)]) -> Result<HeaderMap, RawError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let unfit = || RawError::Request(format!("the header {name:?} cannot be sent with that value"));
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unfit())?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, value);
    }
    Ok(headers)
}
