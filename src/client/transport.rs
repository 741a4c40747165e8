//! One HTTP exchange: what is sent with every request, what comes back, and how much of it we hold.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{ClientBuilder, RequestBuilder, Response, Url};

use crate::protocol::header::SESSION;

use super::error::{ClientError, ProtocolError, Stage};
use super::options::ClientOptions;
use super::refusal;

/// The largest answer that we hold, in bytes; on an event stream, the largest event.
pub(super) const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How much of a refusal's body is read, in bytes: enough for a sentence.
const MAX_REFUSAL: usize = 64 * 1024;
/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;

/// A server's address and the connections to it.
#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    url: Url,
    place: String,
}

impl Transport {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let builder = builder(options)
            .default_headers(standing_headers(options))
            .redirect(Policy::custom(follow_on_the_same_server));
        let place = options.place();
        let http = builder.build().map_err(|e| unconnected(&place, Stage::BeforeSending, &e))?;
        Ok(Self { http, url: options.url.clone(), place })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Posts one JSON-RPC message.
    ///
    /// # Errors
    /// When there is no connection, or the status is no success.
    pub(super) async fn post(&self, message: impl Into<Vec<u8>>, headers: &HeaderMap) -> Result<Response, ClientError> {
        let request = self.http.post(self.url.clone()).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(message.into()), headers).await
    }

    /// Asks for what is at the address.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(super) async fn get(&self) -> Result<Response, ClientError> {
        self.send(self.http.get(self.url.clone()), &HeaderMap::new()).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(super) async fn delete(&self, headers: &HeaderMap) -> Result<(), ClientError> {
        self.send(self.http.delete(self.url.clone()), headers).await.map(|_| ())
    }

    async fn send(&self, request: RequestBuilder, headers: &HeaderMap) -> Result<Response, ClientError> {
        let sent = request.headers(headers.clone()).send().await;
        let response = sent.map_err(|e| {
            let stage = if e.is_connect() { Stage::BeforeSending } else { Stage::Midway };
            unconnected(&self.place, stage, &e)
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, answered) = (response.status(), response.headers().clone());
        // The status says enough when its body is too large or breaks off.
        let body = self.body(response, MAX_REFUSAL).await.unwrap_or_default();
        Err(refusal::judge(status, &answered, &body, headers.contains_key(SESSION)))
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// When it is larger than `limit` bytes, or breaks off.
    pub(super) async fn body(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if body.len() + chunk.len() > limit {
                return Err(ProtocolError::TooLarge { limit }.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next part of a body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, ClientError> {
        response.chunk().await.map_err(|e| unconnected(&self.place, Stage::Midway, &e))
    }
}

/// Connections to that server, as all of our clients make them.
pub(super) fn builder(options: &ClientOptions) -> ClientBuilder {
    let mut builder =
        reqwest::Client::builder().user_agent(concat!("archonctl/", env!("CARGO_PKG_VERSION"))).tcp_nodelay(true);
    if options.is_loopback() {
        builder = builder.no_proxy();
    }
    if options.url.scheme() == "http" {
        // Without this the system's certificates are read for nothing, and where there are none (a bare container)
        // not even a plain connection to this machine would come about.
        builder = builder.tls_certs_only([]);
    }
    builder
}

/// What every request carries. A client MUST accept both kinds of answer (basic/transports, sending messages).
/// What a request says itself, such as its Archon session, goes before the added headers.
fn standing_headers(options: &ClientOptions) -> HeaderMap {
    let mut headers = options.headers.clone();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    if let Some(token) = &options.token {
        headers.insert(header::AUTHORIZATION, token.0.clone());
    }
    headers
}

/// Follows `/mcp` to `/mcp/`, where method and body stay (307, 308), and nothing that leaves the server: session id and
/// token are for this one alone.
fn follow_on_the_same_server(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let kept = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let here = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if kept && here && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// The innermost cause is the one that tells something ("connection refused"); the outer ones repeat each other.
pub(super) fn unconnected(place: &str, stage: Stage, error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ClientError::Connection { place: place.to_owned(), stage, cause: cause.to_string() }
}
