//! HTTP from the other side. [`Connection`] sends whatever bytes a hostile test likes and reads what comes back;
//! [`Mcp`] and [`Session`] speak as a well-behaved MCP client does, independent of the library's own.
//!
//! ```ignore
//! let mcp = Mcp::new(server.url());
//! let session = mcp.initialize("2025-11-25").await;
//! let health = session.call("health_check", json!({})).await;
//! assert_eq!(session.delete().await.status, 204);
//! assert_eq!(session.request("ping", json!({})).await.status, 404);
//! ```

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod session;
mod tests;

pub(crate) use session::Session;

/// No answer takes this long: a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The headers in their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, its chunks joined.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON of the body; of an event stream, that of its last event with data, which is the answer.
    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        let is_stream = self.header("content-type").is_some_and(|t| t.starts_with("text/event-stream"));
        let last_data = || text.lines().rev().find_map(|line| line.strip_prefix("data:"));
        let json = if is_stream { last_data().unwrap_or_default() } else { &text };
        serde_json::from_str(json).unwrap_or_else(|e| panic!("no JSON ({e}) in {} {text:?}", self.status))
    }
}

/// What every client of HTTP in this process needs, the official one too. Once is enough, and more do no harm.
pub(crate) fn install_cryptography() {
    _ = rustls::crypto::ring::default_provider().install_default();
}

/// One TCP connection to a server. Its methods fail after 30 seconds instead of waiting for ever.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Connection {
    /// Connects to an address (`127.0.0.1:PORT`, see `ServeProcess::address`).
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned() })
    }

    /// Sends these bytes and nothing else.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await?
    }

    /// Sends a well-formed request; `Host` and `Content-Length` are added unless they are among the headers.
    pub(crate) async fn request(&mut self, line: &str, headers: &[(&str, &str)], body: &str) -> Result<()> {
        let mut text = format!("{line} HTTP/1.1\r\n");
        let length = body.len().to_string();
        let own = [("host", self.address.as_str()), ("content-length", length.as_str())];
        let missing = own.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        for (name, value) in headers.iter().chain(missing) {
            text.extend([name, ": ", value, "\r\n"]);
        }
        self.send(text + "\r\n" + body).await
    }

    /// Reads a whole answer. Interim answers (1xx) are passed over.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let mut answer = self.head().await?;
        while answer.status / 100 == 1 {
            answer = self.head().await?;
        }
        if answer.header("transfer-encoding").is_some_and(|e| e.eq_ignore_ascii_case("chunked")) {
            while let Some(chunk) = self.chunk().await? {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| Error::new(ErrorKind::InvalidData, length))?;
            answer.body = self.bytes(length).await?;
        } else if !matches!(answer.status, 204 | 304) {
            timeout(PATIENCE, self.stream.read_to_end(&mut answer.body)).await??;
        }
        Ok(answer)
    }

    /// Reads status and headers alone: for streams, whose body is then read by [`Self::chunk`].
    pub(crate) async fn head(&mut self) -> Result<Answer> {
        let line = self.line().await?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(Answer { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| Error::new(ErrorKind::InvalidData, line.clone()))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the next chunk of a chunked body; `None` is its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| Error::new(ErrorKind::InvalidData, size))?;
        let chunk = self.bytes(size).await?;
        self.line().await?;
        Ok((size > 0).then_some(chunk))
    }

    /// Waits until the server closes the connection; `false` if it sends something instead.
    pub(crate) async fn is_closed(&mut self) -> Result<bool> {
        match timeout(PATIENCE, self.stream.fill_buf()).await? {
            Ok(bytes) => Ok(bytes.is_empty()),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(true),
            Err(e) => Err(e),
        }
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.stream.read_line(&mut line)).await??;
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(line.trim_end().to_owned()) }
    }

    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes)).await??;
        Ok(bytes)
    }
}

/// A client of one MCP endpoint. A clone shares its connections.
#[derive(Clone)]
pub(crate) struct Mcp {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Mcp {
    /// A client of the endpoint at this URL.
    pub(crate) fn new(url: &str) -> Self {
        install_cryptography();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("an HTTP client");
        Self { http, url: url.to_owned(), token: None }
    }

    /// The same client, with a bearer token on every request.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Posts a body as it stands. `Content-Type` and `Accept` are those that MCP asks for unless they are among the
    /// headers. An error means that no HTTP answer came: refused, cut, too late.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl Into<String>) -> reqwest::Result<Answer> {
        let wanted = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let missing =
            wanted.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        let all: Vec<_> = headers.iter().chain(missing).copied().collect();
        self.send(reqwest::Method::POST, &all, body.into()).await
    }

    /// Opens a session as the client `suite`: `initialize` with that revision, then `notifications/initialized`.
    ///
    /// # Panics
    ///
    /// When the server refuses, or agrees on another revision.
    pub(crate) async fn initialize(&self, revision: &str) -> Session {
        self.initialize_as("suite", revision).await
    }

    /// The same under another client name.
    pub(crate) async fn initialize_as(&self, client: &str, revision: &str) -> Session {
        self.initialize_with(&[], client, revision).await
    }

    /// The same with more headers.
    pub(crate) async fn initialize_with(&self, headers: &[(&str, &str)], client: &str, revision: &str) -> Session {
        let info = json!({"name": client, "version": "1"});
        let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": info});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self.post(headers, body.to_string()).await.expect("an answer to initialize");
        assert_eq!(answer.status, 200, "initialize: {}", answer.text());
        assert_eq!(answer.json()["result"]["protocolVersion"], revision, "initialize: {}", answer.text());
        let header = |name| answer.header(name).map(str::to_owned);
        let session = Session {
            id: header("mcp-session-id").expect("initialize answers with Mcp-Session-Id"),
            archon: header("x-archon-session-id"),
            revision: revision.to_owned(),
            mcp: self.clone(),
            next: Arc::new(AtomicU64::new(1)),
        };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = session.post(&[], initialized.to_string()).await.expect("an answer to initialized");
        assert_eq!(answer.status, 202, "notifications/initialized: {}", answer.text());
        session
    }

    /// A session that was opened before, with that revision.
    pub(crate) fn known(&self, id: &str, revision: &str) -> Session {
        Session {
            id: id.to_owned(),
            archon: None,
            revision: revision.to_owned(),
            mcp: self.clone(),
            next: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Asks for the end of the session of that id. An error means that no HTTP answer came.
    pub(crate) async fn delete(&self, id: &str) -> reqwest::Result<Answer> {
        self.send(reqwest::Method::DELETE, &[("mcp-session-id", id)], String::new()).await
    }

    async fn send(&self, method: reqwest::Method, headers: &[(&str, &str)], body: String) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, &self.url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Answer { status: answer.status().as_u16(), headers, body: answer.bytes().await?.into() })
    }
}
