//! MCP over HTTP from the other side: a client that keeps its session, and gets it back when the server lost it.
//!
//! ```text
//! SessionFile   sessions between two runs of a program: one file, several programs at once
//! Client     one session: opens or resumes it, heals it once a request, closes it
//!   link     one request and its one answer: ids, deadline, repeats where they are safe (`patience`, `backoff`)
//!   transport   one HTTP exchange: headers, body caps, typed refusals
//! ```
//!
//! It speaks the legacy era over Streamable HTTP (2024-11-05 to 2025-11-25) and takes both kinds of answer, JSON and
//! event streams.

mod address;
mod backoff;
mod error;
mod link;
mod options;
mod patience;
mod raw;
mod ready;
mod refusal;
mod remembered;
mod reveal;
mod session;
mod session_file;
pub mod sse;
mod tool;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashSet;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, watch};
use tracing::debug;

use crate::protocol::header::ARCHON_SESSION;
use crate::protocol::tools::{CallToolResult, ListToolsResult, ToolDescription};

pub use backoff::Backoff;
pub use error::{ClientError, ProtocolError, Stage};
pub use options::{ClientOptions, OnLoss, OptionsError, Token};
pub use raw::{RawAnswer, RawClient, RawError, RawRequest};
pub use ready::why_not_ready;
pub use remembered::Remembered;
pub use session::Session;
pub use session_file::{FileError, SessionFile};
pub use tool::{Arguments, Repeat, ToolAnswer};

use link::{Ask, Link};
use patience::Deadline;
use transport::Transport;

/// How long a goodbye may take: nobody waits half a minute for it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// More pages than this of `tools/list` are a server that counts in circles (our bound).
const MAX_PAGES: usize = 1000;

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
    /// Tools that said, in `tools/list`, that twice is as good as once.
    repeatable: DashSet<String>,
}

impl Client {
    /// Connects and opens a session: `initialize`, then `notifications/initialized`.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or does not speak MCP.
    pub async fn connect(options: ClientOptions) -> Result<Self, ClientError> {
        let link = Link::new(Transport::new(&options)?, options.backoff);
        let deadline = Deadline::after(options.timeout);
        let session = session::open(&link, &options.client, options.archon_session.as_deref(), deadline).await?;
        Ok(Self::with(link, options, session))
    }

    /// Goes on with a session that was opened before, by this program or another. Nothing is sent yet: whether the server
    /// still knows it shows at the first request, and then it is healed like any other.
    ///
    /// # Errors
    /// When this machine cannot talk HTTP at all.
    pub fn resume(options: ClientOptions, session: Session) -> Result<Self, ClientError> {
        let link = Link::new(Transport::new(&options)?, options.backoff);
        Ok(Self::with(link, options, session))
    }

    fn with(link: Link, options: ClientOptions, session: Session) -> Self {
        let session = watch::Sender::new(Arc::new(session));
        Self { link, options, session, healing: Mutex::new(()), repeatable: DashSet::new() }
    }

    /// The server's URL, without secrets.
    pub fn place(&self) -> &str {
        self.link.place()
    }

    /// The session as it is now; a later request may replace it.
    pub fn session(&self) -> Arc<Session> {
        self.session.borrow().clone()
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
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let raw = self.request("tools/list", &params.to_string(), Repeat::Allowed).await?;
            let page: ListToolsResult = read("tools/list", &raw)?;
            tools.extend(page.tools);
            let Some(cursor) = page.next_cursor else {
                self.learn(&tools);
                return Ok(tools);
            };
            params = json!({"cursor": cursor});
        }
        let reason = format!("it has more than {MAX_PAGES} pages");
        Err(ProtocolError::Result { method: "tools/list", reason }.into())
    }

    /// Ends the session. A server that has forgotten it, or lets no client end one, is fine.
    ///
    /// # Errors
    /// When the server cannot be told; it will end the session by itself after a while.
    pub async fn close(self) -> Result<Closed, ClientError> {
        let session = self.session();
        if session.id.is_none() {
            return Ok(Closed::Left);
        }
        let deadline = Deadline::after(self.options.timeout.min(CLOSE_PATIENCE));
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

    /// One request. When the server has lost the session a new one is opened, once, and the request sent again: refused
    /// for its session, it never ran.
    async fn request(&self, method: &'static str, params: &str, repeat: Repeat) -> Result<Box<RawValue>, ClientError> {
        let ask = Ask { method, params, repeat, deadline: Deadline::after(self.options.timeout) };
        let session = self.session();
        match self.ask(ask, &session).await {
            Err(ClientError::Session { message, .. }) if self.options.on_loss == OnLoss::Reopen => {
                debug!(message, "the session is lost; opening a new one");
                let session = self.heal(&session, ask.deadline).await?;
                self.ask(ask, &session).await.map_err(ClientError::after_reopening)
            }
            outcome => outcome,
        }
    }

    async fn ask(&self, ask: Ask<'_>, session: &Session) -> Result<Box<RawValue>, ClientError> {
        let answer = self.link.ask(ask, &session.headers()).await?;
        if let Some(id) = session::text(&answer.headers, ARCHON_SESSION) {
            self.adopt(session, id);
        }
        Ok(answer.result)
    }

    /// The server may replace an Archon session id that it finds invalid; what it answers with is what holds.
    fn adopt(&self, session: &Session, archon_id: String) {
        self.session.send_if_modified(|current| {
            let new = current.id == session.id && current.archon_id.as_ref() != Some(&archon_id);
            if new {
                Arc::make_mut(current).archon_id = Some(archon_id);
            }
            new
        });
    }

    /// A session in place of the lost one: whoever comes first opens it, the others take it over.
    async fn heal(&self, lost: &Session, deadline: Deadline) -> Result<Arc<Session>, ClientError> {
        let turn = async { Ok(self.healing.lock().await) };
        let _turn = deadline.bound(self.link.place(), turn).await?;
        let current = self.session();
        if current.id != lost.id {
            return Ok(current);
        }
        let archon_id = current.archon_id.as_deref();
        let session = Arc::new(session::open(&self.link, &self.options.client, archon_id, deadline).await?);
        self.session.send_replace(session.clone());
        Ok(session)
    }
}

fn read<'a, T: serde::Deserialize<'a>>(method: &'static str, raw: &'a RawValue) -> Result<T, ProtocolError> {
    serde_json::from_str(raw.get()).map_err(|e| ProtocolError::Result { method, reason: e.to_string() })
}
