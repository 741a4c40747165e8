//! As much HTTP as a load needs: requests sent as they are, answers read only as far as a check needs.

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where to connect to, and what to ask there.
#[derive(Clone)]
pub(crate) struct Endpoint {
    authority: String,
    path: String,
}

impl std::str::FromStr for Endpoint {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { authority: authority.to_owned(), path: format!("/{path}") })
    }
}

impl Endpoint {
    /// The bytes of a request with these header lines, each ended by a line break.
    pub(crate) fn request(&self, method: &str, headers: &str, body: &str) -> Vec<u8> {
        let Self { authority, path } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// One keep-alive connection and the answer at hand.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .with_context(|| format!("nobody answers at {}", endpoint.authority))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read().await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break Head::parse(&self.buffer[..end + 4])?;
            }
        };
        while !head.is_whole(&self.buffer) {
            self.read().await?;
        }
        let (text, body) = self.buffer.split_at(head.length);
        Ok(Answer { status: head.status, head: text, body })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// Whether a tool's answer says that it worked.
    pub(crate) fn is_success(&self) -> bool {
        self.status == 200
            && find(self.body, br#""result""#).is_some()
            && find(self.body, br#""isError":true"#).is_none()
    }

    /// The value of a header, its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = std::str::from_utf8(self.head).ok()?.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What to say of an answer that is not the one hoped for.
    pub(crate) fn describe(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }
}

/// What of an answer's head matters for reading it.
struct Head {
    status: u16,
    /// Bytes of the head itself.
    length: usize,
    body: BodyLength,
}

enum BodyLength {
    Known(usize),
    /// Until the last, empty chunk: how some servers stream events.
    Chunked,
}

impl Head {
    fn parse(head: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(head).context("the head of the answer is not text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse().ok());
        let Some(status) = status else { bail!("this is no HTTP answer: {text}") };
        let mut parsed = Self { status, length: head.len(), body: BodyLength::Known(0) };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                parsed.body = BodyLength::Known(value.parse().context("content-length is not a number")?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                parsed.body = BodyLength::Chunked;
            }
        }
        Ok(parsed)
    }

    fn is_whole(&self, answer: &[u8]) -> bool {
        match self.body {
            BodyLength::Known(length) => answer.len() >= self.length + length,
            BodyLength::Chunked => answer[self.length..].ends_with(b"0\r\n\r\n"),
        }
    }
}

/// Where `needle` begins; candidates are found by its first byte.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, mut from) = (needle.first()?, 0);
    loop {
        from += haystack.get(from..)?.iter().position(|byte| byte == first)?;
        if haystack[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
}
