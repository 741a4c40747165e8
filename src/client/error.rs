//! What can go wrong between a client and its server: one clear sentence each, and the way out in [`ClientError::hint`].

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::protocol::reply::ForeignError;
use crate::protocol::revision::Revision;

use super::tool::ToolAnswer;

/// Why a request has no good answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The session was refused: by 404, or in one of the many ways in which servers say it.
    #[error("the server refuses the session: {message}")]
    Session {
        /// What the server said.
        message: String,
        /// The way out that the server named.
        hint: Option<String>,
        /// Whether this was a new session in place of a lost one.
        reopened: bool,
    },
    /// There is no connection, or it broke.
    #[error("{stage} {place}: {cause}")]
    Connection {
        /// The server's URL, without secrets.
        place: String,
        /// How far the request had got.
        stage: Stage,
        /// The innermost cause, such as `connection refused`.
        cause: String,
    },
    /// The server is a program, and cannot be started or has ended.
    #[error("the server {program} {what}{}", .said.iter().fold(String::new(), |text, line| text + "\n  " + line))]
    Program {
        /// The command.
        program: String,
        /// What happened.
        what: String,
        /// The last lines that it wrote to its standard error.
        said: Vec<String>,
    },
    /// No whole answer in time; the request may still be running there.
    #[error("no answer from {place} within {}", humantime::format_duration(*.after))]
    Timeout {
        /// The server's URL, without secrets.
        place: String,
        /// How long we waited, repeats included.
        after: Duration,
    },
    /// The tool ran and failed (`isError`).
    #[error("{}", .0.failure())]
    Tool(Box<ToolAnswer>),
    /// The server answered with a JSON-RPC error, or with something that is not MCP.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The token is missing, wrong, or not allowed to do this (401, 403).
    #[error("the server refuses access ({status}): {message}")]
    Auth {
        /// 401 or 403.
        status: u16,
        /// What the server said.
        message: String,
        /// The way out that the server named.
        hint: Option<String>,
    },
    /// Any other status that is not a success.
    #[error("the server answered {status}: {message}")]
    Http {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
        /// The way out that the server named.
        hint: Option<String>,
        /// How long it asks us to wait (`Retry-After`).
        retry_after: Option<Duration>,
        /// Whether the request may have run: the server has read it, and answers it.
        may_have_run: bool,
    },
}

/// How far a request had got when its connection failed. It decides whether it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was sent: repeating is always safe.
    BeforeSending,
    /// The request may have reached the server, and may have run.
    Midway,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BeforeSending => "no server answers at",
            Self::Midway => "the connection broke before the answer was complete, at",
        })
    }
}

/// An answer that came, and is no result.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// A JSON-RPC error.
    #[error("{} ({})", .0.message, .0.code)]
    Answered(ForeignError),
    /// Neither JSON nor an event stream.
    #[error("the server does not speak MCP: it answered with {content_type}")]
    ContentType {
        /// The `Content-Type`, or `no content type`.
        content_type: String,
    },
    /// The body is no JSON-RPC answer to our request.
    #[error("the server does not speak MCP: {reason}")]
    Garbage {
        /// What is wrong with it.
        reason: String,
    },
    /// The result is not what the specification says.
    #[error("the server's answer to {method} is not what MCP says: {reason}")]
    Result {
        /// The request's method.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer is larger than we are ready to hold.
    #[error("the server's answer is larger than {limit} bytes")]
    TooLarge {
        /// Our bound, in bytes.
        limit: usize,
    },
    /// The server's id for the session can be none (basic/transports: visible ASCII).
    #[error(
        "the server opens a session under {id:?}, which is not a session id: one has visible ASCII characters alone"
    )]
    SessionId {
        /// What it says.
        id: String,
    },
    /// The server wants a revision that we do not speak (basic/lifecycle: a client then disconnects).
    #[error("the server wants MCP revision {asked:?}, which this client does not speak")]
    Revision {
        /// What it wants.
        asked: String,
    },
}

impl ClientError {
    /// The same error, of a session that was opened in place of a lost one.
    pub(super) fn after_reopening(mut self) -> Self {
        if let Self::Session { reopened, .. } = &mut self {
            *reopened = true;
        }
        self
    }

    /// What to do next: the server's own advice where it gave one.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Session { hint: Some(hint), .. }
            | Self::Auth { hint: Some(hint), .. }
            | Self::Http { hint: Some(hint), .. } => Some(Cow::Borrowed(hint)),
            Self::Session { reopened: true, .. } => Some(Cow::Borrowed(
                "a new session was refused too; look for a restart, or for several servers behind one address",
            )),
            Self::Session { .. } => Some(Cow::Borrowed("archonctl init opens a new one")),
            Self::Connection { stage: Stage::BeforeSending, .. } => {
                Some(Cow::Borrowed("start one with: archonctl serve; or name another with --url"))
            }
            Self::Connection { stage: Stage::Midway, .. }
            | Self::Http { status: 429 | 503, may_have_run: true, .. } => {
                Some(Cow::Borrowed("the request may have run; look before you repeat it"))
            }
            Self::Program { said, .. } if said.is_empty() => Some(Cow::Borrowed(
                "run the command by hand to see what it says; it has to speak MCP on standard output",
            )),
            // It has said it itself; it found the endpoint.
            Self::Program { .. } | Self::Http { status: 404, may_have_run: true, .. } => None,
            Self::Timeout { .. } => {
                Some(Cow::Borrowed("the request may still be running; a longer --timeout waits for it"))
            }
            Self::Tool(answer) => answer.suggestion().map(Cow::Owned),
            Self::Protocol(error) => error.hint(),
            Self::Auth { .. } => {
                Some(Cow::Borrowed("give the server's token with --token-file FILE or in ARCHONCTL_TOKEN"))
            }
            Self::Http { status, .. } => http_hint(*status).map(Cow::Borrowed),
        }
    }
}

fn http_hint(status: u16) -> Option<&'static str> {
    match status {
        300..400 => Some("give the address that it redirects to with --url"),
        404 | 405 => Some("check the path of the URL; an MCP endpoint is usually at /mcp"),
        429 | 503 => Some("the server is busy or starting; try again in a moment"),
        _ => None,
    }
}

impl ProtocolError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Answered(error) => server_hint(error.data.as_ref()?).map(Cow::Borrowed),
            Self::ContentType { .. } | Self::Garbage { .. } => {
                Some(Cow::Borrowed("check the URL; an MCP endpoint is usually at /mcp"))
            }
            Self::Revision { .. } => {
                let spoken = Revision::ALL.map(Revision::as_str).join(", ");
                Some(Cow::Owned(format!("this client speaks {spoken}")))
            }
            Self::Result { .. } | Self::SessionId { .. } | Self::TooLarge { .. } => None,
        }
    }
}

/// The way out in an error's `data`, as our server writes it.
pub(super) fn server_hint(data: &Value) -> Option<&str> {
    data.get("hint")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_connection_failure_says_how_far_it_got() {
        let failed = |stage| ClientError::Connection {
            place: "http://127.0.0.1:1/mcp".into(),
            stage,
            cause: "connection refused".into(),
        };
        let refused = failed(Stage::BeforeSending);
        assert_eq!(refused.to_string(), "no server answers at http://127.0.0.1:1/mcp: connection refused");
        assert!(refused.hint().is_some_and(|h| h.contains("archonctl serve")));
        assert!(failed(Stage::Midway).hint().is_some_and(|h| h.contains("may have run")));
    }

    #[test]
    fn the_servers_advice_comes_first() {
        let error = ProtocolError::Answered(ForeignError {
            code: -32602,
            message: "unknown tool: helth".into(),
            data: Some(json!({"reason": "unknown_tool", "hint": "did you mean health_check?"})),
        });
        let error = ClientError::from(error);
        assert_eq!(error.to_string(), "unknown tool: helth (-32602)");
        assert_eq!(error.hint().as_deref(), Some("did you mean health_check?"));
    }
}
