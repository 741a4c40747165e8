//! The way to one server: HTTP, or the pipes of a process.

use http::{HeaderMap, StatusCode};

use super::cookies::Cookie;
use super::error::ClientError;
use super::http::{Http, MAX_ANSWER};
use super::messages::{Messages, garbage};
use super::options::{ClientOptions, Server};
use super::stdio::Stdio;

/// The way.
#[derive(Debug)]
pub(super) enum Transport {
    /// A request is an exchange of its own; what is said in a session has its headers.
    Http(Http),
    /// All messages go over one pair of pipes, which is the session.
    Stdio(Stdio),
}

impl Transport {
    /// To the server of those options, with these cookies of an earlier run. A program is started.
    ///
    /// # Errors
    /// When this machine cannot talk HTTP at all, or cannot start the program.
    pub(super) fn new(options: &ClientOptions, cookies: Vec<Cookie>) -> Result<Self, ClientError> {
        match &options.server {
            Server::Http(url) => Http::new(url, options, cookies).map(Self::Http),
            Server::Program(program) => Stdio::start(program).map(Self::Stdio),
        }
    }

    /// The server's URL without secrets, or its command.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Http(http) => http.place(),
            Self::Stdio(stdio) => stdio.place(),
        }
    }

    /// The cookies that hold now.
    pub(super) fn cookies(&self) -> Vec<Cookie> {
        match self {
            Self::Http(http) => http.cookies(),
            Self::Stdio(_) => Vec::new(),
        }
    }

    /// Sends the request of that id; gives the messages that the server sends for it, each of at most `limit` bytes.
    ///
    /// # Errors
    /// When there is no connection, or the server refuses.
    pub(super) async fn request(
        &self,
        (id, limit): (u64, usize),
        message: String,
        headers: &HeaderMap,
    ) -> Result<Messages, ClientError> {
        match self {
            Self::Http(http) => {
                let response = http.post(message, headers).await?;
                if response.status() == StatusCode::ACCEPTED {
                    return Err(garbage("it accepted a request and gave no answer"));
                }
                Ok(Messages::of(response, limit, http.place())?)
            }
            Self::Stdio(stdio) => Ok(Messages::on(stdio.request(id, message.into_bytes()).await?, limit)),
        }
    }

    /// What the server sends in a session besides the answers: its standing stream. A process has one way for all.
    ///
    /// # Errors
    /// When there is no connection, or the server has no such stream.
    pub(super) async fn standing(&self, headers: &HeaderMap) -> Result<Option<Messages>, ClientError> {
        match self {
            Self::Http(http) => Ok(Some(Messages::of(http.get(headers).await?, MAX_ANSWER, http.place())?)),
            Self::Stdio(_) => Ok(None),
        }
    }

    /// Sends a message that has no answer: a notification, or an answer of ours.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub(super) async fn notify(&self, message: Vec<u8>, headers: &HeaderMap) -> Result<(), ClientError> {
        match self {
            Self::Http(http) => http.post(message, headers).await.map(|_| ()),
            Self::Stdio(stdio) => stdio.notify(message).await,
        }
    }

    /// Ends the session: that of the headers, or the process.
    ///
    /// # Errors
    /// When the server cannot be told.
    pub(super) async fn end(&self, headers: &HeaderMap) -> Result<(), ClientError> {
        match self {
            Self::Http(http) => http.delete(headers).await,
            Self::Stdio(stdio) => {
                stdio.end().await;
                Ok(())
            }
        }
    }

    /// Whether the connection is the session, so that its end is the session's.
    pub(super) fn is_session(&self) -> bool {
        matches!(self, Self::Stdio(_))
    }
}
