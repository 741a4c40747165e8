//! What a client knows of its session, and how one is opened (legacy era, basic/lifecycle).

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::protocol::header::{ARCHON_SESSION, PROTOCOL_VERSION, SESSION};
use crate::protocol::initialize::{Implementation, InitializeResult};
use crate::protocol::revision::Revision;

use super::error::{ClientError, ProtocolError};
use super::link::{Ask, Link};
use super::patience::Deadline;
use super::tool::Repeat;

/// A session as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The protocol session (`Mcp-Session-Id`); `None` when the server keeps none.
    pub id: Option<String>,
    /// The Archon session (`X-Archon-Session-Id`); `None` when the server is not of our kind.
    pub archon_id: Option<String>,
    /// The revision agreed on.
    pub revision: Revision,
    /// The server's name and version.
    pub server: Implementation,
}

impl Session {
    /// What every request in this session carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = archon_header(self.archon_id.as_deref());
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(self.revision.as_str()));
        insert(&mut headers, SESSION, self.id.as_deref());
        headers
    }
}

/// Opens a session: `initialize`, then `notifications/initialized`. An Archon session of before is named again, so that a
/// client which lost its protocol session stays one visitor in the statistics.
///
/// A handshake whose answer was lost is repeated: it leaves at worst an idle session behind.
pub(super) async fn open(
    link: &Link,
    client: &Implementation,
    archon_id: Option<&str>,
    deadline: Deadline,
) -> Result<Session, ClientError> {
    let params = json!({"protocolVersion": Revision::LATEST.as_str(), "capabilities": {}, "clientInfo": client});
    let params = params.to_string();
    let ask = Ask { method: "initialize", params: &params, repeat: Repeat::Allowed, deadline };
    let answer = link.ask(ask, &archon_header(archon_id)).await?;
    let result: InitializeResult = serde_json::from_str(answer.result.get())
        .map_err(|e| ProtocolError::Result { method: ask.method, reason: e.to_string() })?;
    let session = Session {
        id: text(&answer.headers, SESSION),
        archon_id: text(&answer.headers, ARCHON_SESSION),
        revision: Revision::parse(&result.protocol_version)
            .ok_or(ProtocolError::Revision { asked: result.protocol_version })?,
        server: result.server_info,
    };
    link.tell("notifications/initialized", &session.headers(), deadline).await?;
    Ok(session)
}

/// A header's value, if it is text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn archon_header(id: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    insert(&mut headers, ARCHON_SESSION, id);
    headers
}

/// Ids came out of headers, so they fit into headers.
fn insert(headers: &mut HeaderMap, name: &'static str, id: Option<&str>) {
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
