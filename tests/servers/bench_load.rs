//! The load of `scripts/bench.sh`: one tool called over and over on a few keep-alive connections, each with a session.
//!
//! Made to cost little beside the server it measures: one thread, raw TCP, requests written once and sent as they are,
//! answers read only as far as a check needs. The next call of a connection leaves when the answer to the last one is
//! there, so that the rate is what the server sustains with that many callers waiting. Any wrong answer makes it fail.

mod bench_tally;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bench_tally::{Cpu, Report, Tally};
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Calls a tool of an MCP server as fast as it answers, and says how fast that is.
#[derive(Parser)]
struct Options {
    /// The MCP endpoint: http://HOST:PORT/PATH
    #[arg(long)]
    url: String,
    /// Callers, each with a connection and a session of its own
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Length of the measured window
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before it that are not counted
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// The tool; called without arguments
    #[arg(long, default_value = "health_check")]
    tool: String,
    /// A process whose CPU time counts as the server's; may be given more than once (a database beside it)
    #[arg(long)]
    pid: Vec<u32>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let (report, first_error) = measure(&options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    let Some(first_error) = first_error else { return Ok(ExitCode::SUCCESS) };
    eprintln!("{} errors; the first: {first_error}", report.errors);
    Ok(ExitCode::FAILURE)
}

/// What the callers are to do with the call at hand: see [`WARMING`], [`COUNTING`], [`OVER`].
type Stage = Arc<AtomicU8>;
/// Make it, do not count it.
const WARMING: u8 = 0;
/// Make it and count it.
const COUNTING: u8 = 1;
/// Make no more.
const OVER: u8 = 2;

/// A call that takes longer than this after the window is an error, not a silence.
const LAST_ANSWER: Duration = Duration::from_secs(10);

async fn measure(options: &Options) -> anyhow::Result<(Report, Option<String>)> {
    let endpoint = Endpoint::parse(&options.url)?;
    let stage = Stage::new(AtomicU8::new(WARMING));
    let mut callers = JoinSet::new();
    for _ in 0..options.connections {
        let caller = Caller::open(&endpoint, &options.tool).await?;
        callers.spawn(caller.run(Arc::clone(&stage)));
    }
    sleep(Duration::try_from_secs_f64(options.warmup)?).await;
    let (start, cpu) = (Instant::now(), Cpu::now(&options.pid)?);
    stage.store(COUNTING, Ordering::Relaxed);
    sleep(Duration::try_from_secs_f64(options.seconds)?).await;
    stage.store(OVER, Ordering::Relaxed);
    let (elapsed, cpu) = (start.elapsed(), Cpu::now(&options.pid)?.since(&cpu));

    let mut tally = Tally::default();
    while let Ok(Some(caller)) = timeout(LAST_ANSWER, callers.join_next()).await {
        tally.add(caller?);
    }
    for _ in 0..callers.len() {
        tally.error(format!("no answer within {LAST_ANSWER:?}"));
    }
    Ok((Report::new(options.connections, &tally, elapsed, &cpu), tally.first_error))
}

/// Where to connect to, and what to ask there.
struct Endpoint {
    authority: String,
    path: String,
}

impl Endpoint {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { authority: authority.to_owned(), path: format!("/{path}") })
    }

    /// The bytes of a POST; once there is a session, with its headers.
    fn request(&self, session: Option<&str>, body: &str) -> Vec<u8> {
        let session = session.map_or_else(String::new, |id| {
            format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {PROTOCOL_VERSION}\r\n")
        });
        let Self { authority, path } = self;
        format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

const PROTOCOL_VERSION: &str = "2025-06-18";
/// Ten digits, so that the id of a call can be written over that of the call before.
const FIRST_ID: u64 = 1_000_000_000;

/// One connection with one session.
struct Caller {
    stream: TcpStream,
    /// The answer at hand.
    buffer: Vec<u8>,
    /// The call, and where its JSON-RPC id stands in it.
    request: Vec<u8>,
    id_at: usize,
}

impl Caller {
    /// Connects and shakes hands.
    async fn open(endpoint: &Endpoint, tool: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .with_context(|| format!("nobody answers at {}", endpoint.authority))?;
        stream.set_nodelay(true)?;
        let mut caller = Self { stream, buffer: Vec::with_capacity(64 * 1024), request: Vec::new(), id_at: 0 };

        let initialize = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{PROTOCOL_VERSION}","capabilities":{{}},"clientInfo":{{"name":"bench_load","version":"1"}}}}}}"#
        );
        caller.request = endpoint.request(None, &initialize);
        let head = caller.exchange().await?;
        ensure!(head.status == 200, "initialize: {}", head.describe(&caller.buffer));
        let session = header(&caller.buffer[..head.length], "mcp-session-id").map(str::to_owned);

        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        caller.request = endpoint.request(session.as_deref(), initialized);
        let head = caller.exchange().await?;
        ensure!(matches!(head.status, 200 | 202), "notifications/initialized: {}", head.describe(&caller.buffer));

        let prefix = r#"{"jsonrpc":"2.0","id":"#;
        let call =
            format!(r#"{prefix}{FIRST_ID},"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#);
        caller.request = endpoint.request(session.as_deref(), &call);
        caller.id_at = caller.request.len() - call.len() + prefix.len();
        Ok(caller)
    }

    /// Calls until the time is over or the connection breaks.
    async fn run(mut self, stage: Stage) -> Tally {
        let mut tally = Tally::default();
        let mut id = FIRST_ID;
        while stage.load(Ordering::Relaxed) != OVER {
            self.number(id);
            id += 1;
            let start = Instant::now();
            let answer = self.exchange().await;
            if stage.load(Ordering::Relaxed) == COUNTING {
                tally.latencies.record(start.elapsed());
            }
            match answer {
                Ok(head) if head.status == 200 && is_success(&self.buffer[head.length..]) => {
                    tally.body_bytes = self.buffer.len() - head.length;
                }
                Ok(head) => tally.error(head.describe(&self.buffer)),
                Err(broken) => {
                    tally.error(format!("{broken:#}"));
                    break;
                }
            }
        }
        tally
    }

    /// Writes the id into the request.
    fn number(&mut self, mut id: u64) {
        for digit in self.request[self.id_at..self.id_at + 10].iter_mut().rev() {
            *digit = b'0' + u8::try_from(id % 10).unwrap_or_default();
            id /= 10;
        }
    }

    /// Sends the request and leaves the whole answer in the buffer.
    async fn exchange(&mut self) -> anyhow::Result<Head> {
        self.stream.write_all(&self.request).await?;
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
        Ok(head)
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// What of an answer's head matters here.
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
        let text = std::str::from_utf8(head).context("the head of the answer is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse().ok());
        let Some(status) = status else { bail!("this is no HTTP answer: {text}") };
        let mut parsed = Self { status, length: head.len(), body: BodyLength::Known(0) };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                parsed.body = BodyLength::Known(value.parse().context("content-length is no number")?);
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

    fn describe(&self, answer: &[u8]) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&answer[self.length..]))
    }
}

/// The value of a header, its name in any case.
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Whether a tool's answer says that it worked.
fn is_success(body: &[u8]) -> bool {
    find(body, br#""result""#).is_some() && find(body, br#""isError":true"#).is_none()
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
