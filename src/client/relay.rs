//! Passes somebody else's messages on to a server, as they are: no session of our own, no repeating, no healing.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::error::{ClientError, Stage};
use super::http::{Http, MAX_ANSWER};
use super::messages::Messages;
use super::options::ClientOptions;
use super::options_error::OptionsError;
use crate::protocol::header::SESSION;

/// The way to the server to which messages are passed on.
#[derive(Debug)]
pub struct Relay {
    http: Http,
}

impl Relay {
    /// To the server of these options.
    ///
    /// # Errors
    /// When this machine cannot talk HTTP at all, or the server is a program.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let Some(url) = options.url() else {
            let cause = "a program has a pipe for one client alone".to_owned();
            return Err(ClientError::Connection { place: options.place(), stage: Stage::BeforeSending, cause });
        };
        Ok(Self { http: Http::new(url, options, Vec::new())? })
    }

    /// Passes a message on in that session; what comes back goes to `said`. The session that it has opened, if it has.
    ///
    /// # Errors
    /// When there is no connection or it breaks, or the status is no success.
    pub async fn pass(
        &self,
        message: Bytes,
        session: Option<&str>,
        said: &mpsc::Sender<Bytes>,
    ) -> Result<Option<String>, ClientError> {
        let response = self.http.post(message, &headers(session)).await?;
        let opened = response.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        if response.status() != http::StatusCode::ACCEPTED {
            forward(Messages::of(response, MAX_ANSWER, self.http.place())?, said).await?;
        }
        Ok(opened)
    }

    /// Passes on what the server says in that session by itself, until it says no more.
    ///
    /// # Errors
    /// The same.
    pub async fn listen(&self, session: &str, said: &mpsc::Sender<Bytes>) -> Result<(), ClientError> {
        let response = self.http.get(&headers(Some(session))).await?;
        forward(Messages::of(response, MAX_ANSWER, self.http.place())?, said).await
    }

    /// Ends that session.
    ///
    /// # Errors
    /// The same.
    pub async fn end(&self, session: &str) -> Result<(), ClientError> {
        self.http.delete(&headers(Some(session))).await
    }
}

async fn forward(mut messages: Messages, said: &mpsc::Sender<Bytes>) -> Result<(), ClientError> {
    while let Some(message) = messages.next().await? {
        // Who is gone hears nothing.
        _ = said.send(Bytes::copy_from_slice(message.get().as_bytes())).await;
    }
    Ok(())
}

fn headers(session: Option<&str>) -> HeaderMap {
    let id = session.and_then(|id| HeaderValue::from_str(id).ok());
    id.into_iter().map(|id| (HeaderName::from_static(SESSION), id)).collect()
}

impl ClientOptions {
    /// Options for the server that listens on a socket in the file system.
    ///
    /// # Errors
    /// Never for a path; as [`ClientOptions::new`].
    pub fn on_socket(path: PathBuf) -> Result<Self, OptionsError> {
        Ok(Self { socket: Some(path), ..Self::new("http://localhost/mcp")? })
    }
}

impl ClientError {
    /// Whether nothing was sent: no server has run anything.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Connection { stage: Stage::BeforeSending, .. })
    }

    /// Whether the server cannot serve it now, and says so: it may be stopping.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Http { status: 503, .. })
    }

    /// Whether there is no connection, or it broke.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }
}
