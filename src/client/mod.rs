//! MCP from the other side: a client that keeps its session, and gets it back when the server lost it.
//!
//! ```text
//! SessionFile   sessions between two runs of a program: one file, several programs at once
//! Client     one session: opens or resumes it, heals it once a request, closes it
//!   link     one request and its one answer: ids, deadline, repeats where they are safe (`patience`, `backoff`)
//!     messages    all that the server sends for a request; what is no answer goes to the `Listener` (`hearing`)
//!     transport   http: one exchange, with headers, cookies, body caps, typed refusals (`refusal`, `loss`)
//!                 stdio: the pipes of a process, which is started and ended
//! ```
//!
//! It speaks the legacy era (2024-11-05 to 2025-11-25) over Streamable HTTP, where it takes both kinds of answer, JSON and
//! event streams, and over stdio.

mod abandoned;
mod address;
mod answer;
mod backoff;
mod cookies;
mod error;
mod get_stream;
mod handshake;
mod heal;
mod hearing;
mod http;
mod link;
mod listener;
mod loss;
mod messages;
mod options;
mod options_error;
mod pages;
mod patience;
mod program;
mod questions;
mod raw;
mod ready;
mod refusal;
mod relay;
mod remembered;
mod reveal;
mod session;
mod session_file;
pub mod sse;
mod stdio;
mod token;
mod tool;
mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashSet;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, watch};
use tracing::debug;

use crate::protocol::tools::{CallToolResult, ToolDescription};

pub use backoff::Backoff;
pub use cookies::Cookie;
pub use error::{ClientError, ProtocolError, Stage};
pub use listener::{Answering, Listener};
pub use options::{ClientOptions, OnLoss};
pub use options_error::OptionsError;
pub use program::Program;
pub use raw::{RawAnswer, RawClient, RawError, RawRequest};
pub use ready::why_not_ready;
pub use relay::Relay;
pub use remembered::Remembered;
pub use session::Session;
pub use session_file::{FileError, SessionFile};
pub use token::Token;
pub use tool::{Arguments, Repeat, ToolAnswer};

use self::http::MAX_ANSWER;
use link::{Ask, CANCEL_PATIENCE, Link};
use pages::Pages;
use patience::Deadline;
use transport::Transport;

/// How long a goodbye may take: nobody waits half a minute for it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// How a session was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The server has ended it.
    Ended,
    /// The server did not know it any more.
    Gone,
    /// The server lets no client end one, or keeps none.
    Left,
}

/// A client with an open session. Requests may run side by side.
#[derive(Debug)]
pub struct Client {
    link: Link,
    options: ClientOptions,
    session: watch::Sender<Arc<Session>>,
    /// Held while a lost session is replaced, so that requests which lost it together replace it once.
    healing: Mutex<()>,
    /// Whether the standing stream is wanted.
    is_listening: AtomicBool,
    /// Tools that said, in `tools/list`, that twice is as good as once.
    repeatable: DashSet<String>,
}

impl Client {
    /// Connects and opens a session: `initialize`, then `notifications/initialized`.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or does not speak MCP.
    pub async fn connect(options: ClientOptions) -> Result<Self, ClientError> {
        let link = Link::new(Transport::new(&options, Vec::new())?, options.backoff, options.listener.clone());
        let deadline = deadline(&options);
        debug!("opening a session with {}", link.place());
        match handshake::open(&link, &options.client, options.archon_session.as_deref(), deadline).await {
            Ok(session) => Ok(Self::with(link, options, session)),
            Err(error) => {
                link.hang_up().await;
                Err(error)
            }
        }
    }

    /// Goes on with a session that was opened before, by this program or another. Nothing is sent yet: whether the server
    /// still knows it shows at the first request, and then it is healed like any other.
    ///
    /// # Errors
    /// When this machine cannot talk HTTP at all.
    pub fn resume(options: ClientOptions, session: Session) -> Result<Self, ClientError> {
        Self::resume_with(options, session, Vec::new())
    }

    /// The same, with the cookies that the server had set by then: a balancer may know by them who has the session.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn resume_with(options: ClientOptions, session: Session, cookies: Vec<Cookie>) -> Result<Self, ClientError> {
        let link = Link::new(Transport::new(&options, cookies)?, options.backoff, options.listener.clone());
        debug!("going on with session {} of {}", session.id.as_deref().unwrap_or("none"), link.place());
        Ok(Self::with(link, options, session))
    }

    fn with(link: Link, options: ClientOptions, session: Session) -> Self {
        let session = watch::Sender::new(Arc::new(session));
        let (healing, is_listening, repeatable) = (Mutex::new(()), AtomicBool::new(false), DashSet::new());
        Self { link, options, session, healing, is_listening, repeatable }
    }

    /// The server's URL, without secrets.
    pub fn place(&self) -> &str {
        self.link.place()
    }

    /// The session as it is now; a later request may replace it.
    pub fn session(&self) -> Arc<Session> {
        self.session.borrow().clone()
    }

    /// The cookies that the server has set.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.link.cookies()
    }

    /// Calls a tool. Should the connection break midway, the call is repeated only if [`Self::list_tools`] has shown that
    /// the tool is read-only or idempotent.
    ///
    /// # Errors
    /// [`ClientError::Tool`] when the tool ran and failed; any other when there is no answer.
    pub async fn call_tool(&self, name: &str, arguments: impl Into<Arguments>) -> Result<ToolAnswer, ClientError> {
        let repeat = if self.repeatable.contains(name) { Repeat::Allowed } else { Repeat::Never };
        self.call_tool_again(name, arguments, repeat).await
    }

    /// Calls a tool, and lets the caller say whether a call whose connection broke midway may be repeated.
    ///
    /// # Errors
    /// As [`Self::call_tool`].
    pub async fn call_tool_again(
        &self,
        name: &str,
        arguments: impl Into<Arguments>,
        repeat: Repeat,
    ) -> Result<ToolAnswer, ClientError> {
        let arguments = arguments.into();
        let params = format!(r#"{{"name":{},"arguments":{}}}"#, json!(name), arguments.as_json());
        let raw = self.request("tools/call", &params, repeat).await?;
        let result: CallToolResult = read("tools/call", &raw)?;
        let answer = ToolAnswer { result, raw };
        if answer.result.is_error { Err(ClientError::Tool(Box::new(answer))) } else { Ok(answer) }
    }

    /// All tools that the server offers, page by page.
    ///
    /// # Errors
    /// When there is no answer, or the pages never end.
    pub async fn list_tools(&self) -> Result<Vec<ToolDescription>, ClientError> {
        let (mut pages, mut params) = (Pages::default(), Some("{}".to_owned()));
        // One deadline and one bound of bytes for all of them.
        let (deadline, mut limit) = (deadline(&self.options), MAX_ANSWER);
        while let Some(asked) = params {
            let ask = Ask { method: "tools/list", params: &asked, repeat: Repeat::Allowed, deadline, limit };
            let raw = self.heal_and_ask(ask).await.map_err(|error| pages::of_all_pages(error, limit))?;
            limit = limit.saturating_sub(raw.get().len());
            params = pages.take(&raw)?;
        }
        let tools = pages.into_tools();
        self.learn(&tools);
        Ok(tools)
    }

    /// From now on hears what the server sends on its standing stream, in this session and in one that replaces it. There
    /// servers send what belongs to no request, and many send all but the answers.
    pub async fn listen(&self) {
        self.is_listening.store(true, Ordering::Relaxed);
        self.link.listen(self.session().headers()).await;
    }

    /// Returns, with the error for it, when nobody is to wait any more ([`ClientOptions::until`]); never without such a time.
    pub async fn out_of_time(&self) -> ClientError {
        match self.options.until {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
        ClientError::Timeout { place: self.place().to_owned(), after: self.options.timeout }
    }

    /// Tells the server of the requests whose futures were dropped before they were answered, so that it need not go on.
    /// What cannot be told is left: the server finds out by itself.
    pub async fn cancel_abandoned(&self) {
        self.link.cancel_abandoned().await;
    }

    /// Ends the session. A server that has forgotten it, or lets no client end one, is fine.
    ///
    /// # Errors
    /// When the server cannot be told; it will end the session by itself after a while.
    pub async fn close(self) -> Result<Closed, ClientError> {
        let session = self.session();
        if session.id.is_none() && !self.link.is_session() {
            return Ok(Closed::Left);
        }
        self.cancel_abandoned().await;
        // Even where all time is used up there is a moment for it. A process is not left behind.
        let soon = std::time::Instant::now() + CANCEL_PATIENCE;
        let end = self.options.until.map(|until| (until + CANCEL_PATIENCE).max(soon).into());
        let deadline = if self.link.is_session() {
            Deadline::after(CLOSE_PATIENCE)
        } else {
            Deadline::after(self.options.timeout.min(CLOSE_PATIENCE)).not_beyond(end)
        };
        debug!("ending the session");
        match self.link.end(&session.headers(), deadline).await {
            Ok(()) => Ok(Closed::Ended),
            Err(ClientError::Session { .. }) => Ok(Closed::Gone),
            Err(ClientError::Http { status: 405, .. }) => Ok(Closed::Left),
            Err(error) => Err(error),
        }
    }

    fn learn(&self, tools: &[ToolDescription]) {
        self.repeatable.clear();
        for tool in tools.iter().filter(|t| tool::may_repeat(t.annotations.as_ref())) {
            self.repeatable.insert(tool.name.to_string());
        }
    }

    async fn request(&self, method: &'static str, params: &str, repeat: Repeat) -> Result<Box<RawValue>, ClientError> {
        let deadline = deadline(&self.options);
        self.heal_and_ask(Ask { method, params, repeat, deadline, limit: MAX_ANSWER }).await
    }
}

/// By when a request that begins now has to be answered.
fn deadline(options: &ClientOptions) -> Deadline {
    let deadline = Deadline::after(options.timeout).not_beyond(options.until.map(Into::into));
    if options.counts_answers { deadline } else { deadline.but_for_answers() }
}

fn read<'a, T: serde::Deserialize<'a>>(method: &'static str, raw: &'a RawValue) -> Result<T, ProtocolError> {
    serde_json::from_str(raw.get()).map_err(|e| ProtocolError::Result { method, reason: e.to_string() })
}
