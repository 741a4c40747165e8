//! What a client says of itself and asks: a session from `initialize` to DELETE, and the call made over and over in it.

use anyhow::ensure;

use crate::http::{Connection, Endpoint};

const PROTOCOL_VERSION: &str = "2025-06-18";

/// A session that `initialize` made; the id is none where the server gives none.
pub(crate) struct Session {
    pub(crate) id: Option<String>,
}

impl Session {
    /// Shakes hands, without the notification that clients send then.
    pub(crate) async fn initialize(connection: &mut Connection, endpoint: &Endpoint) -> anyhow::Result<Self> {
        let answer = connection.exchange(&Self::handshake(endpoint)).await?;
        ensure!(answer.status == 200, "initialize: {}", answer.describe());
        Ok(Self { id: answer.header("mcp-session-id").map(str::to_owned) })
    }

    /// Shakes hands as the protocol asks for it.
    pub(crate) async fn open(connection: &mut Connection, endpoint: &Endpoint) -> anyhow::Result<Self> {
        let session = Self::initialize(connection, endpoint).await?;
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let answer = connection.exchange(&endpoint.request("POST", &session.headers(), notification)).await?;
        ensure!(matches!(answer.status, 200 | 202), "notifications/initialized: {}", answer.describe());
        Ok(session)
    }

    /// The request that opens a session.
    pub(crate) fn handshake(endpoint: &Endpoint) -> Vec<u8> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{PROTOCOL_VERSION}","capabilities":{{}},"clientInfo":{{"name":"bench_load","version":"1"}}}}}}"#
        );
        endpoint.request("POST", "", &body)
    }

    /// The request that ends it.
    pub(crate) fn goodbye(&self, endpoint: &Endpoint) -> Vec<u8> {
        endpoint.request("DELETE", &self.headers(), "")
    }

    fn headers(&self) -> String {
        self.id.as_ref().map_or_else(String::new, |id| {
            format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {PROTOCOL_VERSION}\r\n")
        })
    }
}

/// The call of a tool in a session, made once and sent again and again under the next id.
pub(crate) struct Call {
    request: Vec<u8>,
    /// Where its JSON-RPC id stands.
    id_at: usize,
    id: u64,
}

/// Ten digits, so that the id of a call can be written over that of the call before.
const FIRST_ID: u64 = 1_000_000_000;

impl Call {
    /// The tool is called without arguments.
    pub(crate) fn new(endpoint: &Endpoint, session: &Session, tool: &str) -> Self {
        let prefix = r#"{"jsonrpc":"2.0","id":"#;
        let body =
            format!(r#"{prefix}{FIRST_ID},"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#);
        let request = endpoint.request("POST", &session.headers(), &body);
        let id_at = request.len() - body.len() + prefix.len();
        Self { request, id_at, id: FIRST_ID }
    }

    /// The bytes of the next call.
    pub(crate) fn next(&mut self) -> &[u8] {
        let mut rest = self.id;
        for digit in self.request[self.id_at..self.id_at + 10].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        self.id += 1;
        &self.request
    }
}
