//! One HTTP exchange: what is sent with every request, what comes back, and how much of it we hold.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response, Url};
use tracing::{debug, trace};

use super::cookies::{Cookie, Jar};
use super::error::{ClientError, ProtocolError, Stage};
use super::options::ClientOptions;
use super::refusal;
use crate::model::secret::Secrets;

/// The largest answer that we hold, in bytes; on an event stream, the largest event.
pub(super) const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How much of a refusal's body is read, in bytes: enough for a sentence.
const MAX_REFUSAL: usize = 64 * 1024;
/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;

/// A server's address, the connections to it, and the cookies that it has set.
#[derive(Debug)]
pub(super) struct Http {
    connections: reqwest::Client,
    url: Url,
    place: String,
    given_cookies: Option<HeaderValue>,
    jar: Jar,
    secrets: Secrets,
}

impl Http {
    /// With these cookies of an earlier run.
    pub(super) fn new(url: &Url, options: &ClientOptions, cookies: Vec<Cookie>) -> Result<Self, ClientError> {
        let builder = builder(options).default_headers(standing_headers(options)).redirect(Policy::none());
        let place = options.place();
        let connections = builder.build().map_err(|e| unconnected(&place, Stage::BeforeSending, &e))?;
        let given_cookies = options.headers.get(header::COOKIE).cloned();
        Ok(Self {
            connections,
            url: url.clone(),
            place,
            given_cookies,
            jar: Jar::new(cookies),
            secrets: options.secrets(),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The cookies that hold now.
    pub(super) fn cookies(&self) -> Vec<Cookie> {
        self.jar.all()
    }

    /// Posts one JSON-RPC message.
    ///
    /// # Errors
    /// When there is no connection, or the status is no success.
    pub(super) async fn post(&self, message: impl Into<Bytes>, headers: &HeaderMap) -> Result<Response, ClientError> {
        self.send(Method::POST, message.into(), headers).await
    }

    /// Asks for what is at the address: to a session's headers, its standing stream.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(super) async fn get(&self, headers: &HeaderMap) -> Result<Response, ClientError> {
        self.send(Method::GET, Bytes::new(), headers).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(super) async fn delete(&self, headers: &HeaderMap) -> Result<(), ClientError> {
        self.send(Method::DELETE, Bytes::new(), headers).await.map(|_| ())
    }

    /// Sends it, and again to where the server says that it has moved to on itself.
    async fn send(&self, method: Method, body: Bytes, headers: &HeaderMap) -> Result<Response, ClientError> {
        let mut url = self.url.clone();
        let mut redirects = 0;
        loop {
            let response = self.exchange((method.clone(), &url), body.clone(), headers).await?;
            let status = response.status();
            self.jar.take(&url, response.headers());
            trace!(%method, %status, headers = ?without_secrets(response.headers()), "received");
            if status.is_success() {
                return Ok(response);
            }
            match moved(&url, status, response.headers()) {
                Some(next) if redirects < MAX_REDIRECTS => {
                    debug!(%status, to = next.path(), "the server redirects");
                    redirects += 1;
                    url = next;
                }
                _ => return Err(self.refused(response, headers).await),
            }
        }
    }

    async fn exchange(
        &self,
        (method, url): (Method, &Url),
        body: Bytes,
        headers: &HeaderMap,
    ) -> Result<Response, ClientError> {
        let mut headers = headers.clone();
        headers.extend(self.jar.header(url, self.given_cookies.as_ref()).map(|value| (header::COOKIE, value)));
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        trace!(%method, ?headers, bytes = body.len(), "sending");
        let sent = self.connections.request(method, url.clone()).headers(headers).body(body).send().await;
        sent.map_err(|e| {
            let stage = if e.is_connect() { Stage::BeforeSending } else { Stage::Midway };
            unconnected(&self.place, stage, &e)
        })
    }

    async fn refused(&self, response: Response, asked: &HeaderMap) -> ClientError {
        let (status, answered) = (response.status(), response.headers().clone());
        let body = whole(response, MAX_REFUSAL, &self.place).await;
        // The status says enough when its body is too large or breaks off, except whether the request has run.
        let is_whole = body.is_ok();
        let body = body.unwrap_or_default();
        // Before it is cut: a part of a secret could not be told any more.
        let body = self.secrets.hide(&String::from_utf8_lossy(&body)).into_owned();
        let mut error = refusal::judge(status, &answered, body.as_bytes(), asked);
        if let ClientError::Http { may_have_run, .. } = &mut error {
            *may_have_run |= !is_whole;
        }
        error
    }
}

/// Reads a whole body.
///
/// # Errors
/// When it is larger than `limit` bytes, or breaks off.
pub(super) async fn whole(mut response: Response, limit: usize, place: &str) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = chunk(&mut response, place).await? {
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
pub(super) async fn chunk(response: &mut Response, place: &str) -> Result<Option<Bytes>, ClientError> {
    response.chunk().await.map_err(|e| unconnected(place, Stage::Midway, &e))
}

/// Connections to that server, as all of our clients make them.
pub(super) fn builder(options: &ClientOptions) -> ClientBuilder {
    // Once a process: who comes second finds that it is done.
    _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder =
        reqwest::Client::builder().user_agent(concat!("archonctl/", env!("CARGO_PKG_VERSION"))).tcp_nodelay(true);
    if options.is_loopback() {
        builder = builder.no_proxy();
    }
    if let Some(socket) = &options.socket {
        builder = builder.unix_socket(socket.as_path());
    }
    if options.url().is_some_and(|url| url.scheme() == "http") {
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

/// Headers as a log may show them: no cookies, and of addresses what may be seen.
fn without_secrets(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for (name, value) in &mut headers {
        if [header::LOCATION, header::CONTENT_LOCATION].contains(name) {
            let shown = value.to_str().ok().and_then(|address| HeaderValue::from_str(&refusal::harmless(address)).ok());
            *value = shown.unwrap_or_else(|| HeaderValue::from_static(""));
        }
        if [header::SET_COOKIE, header::REFRESH, header::LINK].contains(name) {
            value.set_sensitive(true);
        }
    }
    headers
}

/// Where a request goes on, `/mcp/` in place of `/mcp`: where method and body stay (307, 308), and nothing that leaves the
/// server. Session id, token and cookies are for this one alone.
fn moved(from: &Url, status: StatusCode, answered: &HeaderMap) -> Option<Url> {
    let kept = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let location = answered.get(header::LOCATION)?.to_str().ok()?;
    let mut to = from.join(location).ok()?;
    // These fail only for URLs that cannot have a user.
    let _ = to.set_username(from.username());
    let _ = to.set_password(from.password());
    (kept && to.origin() == from.origin()).then_some(to)
}

/// The innermost cause is the one that tells something ("connection refused"); the outer ones repeat each other.
pub(super) fn unconnected(place: &str, stage: Stage, error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ClientError::Connection { place: place.to_owned(), stage, cause: cause.to_string() }
}
